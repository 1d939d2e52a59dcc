package page

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"groupcast/loop"
	"groupcast/server/api"
	"groupcast/server/monitor"
)

const apiToken = "0123456789abcdef"

// realAPI is the API with a token, the monitor and the loops, all of them real.
type realAPI struct {
	engine  *loop.Engine
	ws, url string
}

func startReal(t *testing.T) realAPI {
	t.Helper()
	engine, addr := startEngine(t)
	m := monitor.New(engine, monitor.Info{
		Version: "real", Go: "go1.26.0", PID: 4711, Host: "here", StartedAt: time.Now(), CPUs: 2,
		MaxConnections: func() int { return 1024 },
		Listeners: func() []monitor.Listener {
			return []monitor.Listener{{Kind: monitor.KindWebSocket, Address: addr, State: monitor.ListenerOK}}
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	a, err := api.New(api.Options{
		Engine: engine, Monitor: m, Limits: api.DefaultLimits(), Tokens: []string{apiToken},
		Logger: slog.New(slog.DiscardHandler), Page: Handler(),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Handler(true))
	t.Cleanup(server.Close)
	return realAPI{engine, addr, server.URL}
}

// openReal opens the page of a real API, and signs in.
func openReal(s scene) (*tab, realAPI) {
	r := startReal(s.t)
	p := openTab(s.t, s.browser, r.url, "/v1/status", "/v1/history", "/v1/groups/")
	p.until(`!document.getElementById("token-form").hidden`)
	p.typeInto("#token", apiToken+kb.Enter)
	p.text("#about", "here · real")
	return p, r
}

func testWithAPI(s scene) {
	p, _ := openReal(s)
	p.typeInto("#listen-group", "a/b ü"+kb.Enter)
	p.text("#listen-state", "Listening to a/b ü")
	p.typeInto("#publish-group", "a/b ü")
	p.typeInto("#publish-message", "through it all"+kb.Enter)
	p.text("#publish-answer", "Published as message")
	p.text("#log", "through it all")
	p.until(`!document.querySelector("#publish button").ariaDisabled`)
	for _, group := range []string{".", ".."} {
		p.typeInto("#publish-group", group)
		p.press(kb.Enter)
		p.until(`!document.querySelector("#publish button").ariaDisabled`)
	}
	p.text("#publish-answer", "Published")
	p.until(`document.querySelector('[data-now="sessions"]').textContent === "1"`)
	p.text("#groups", "a/b ü")
	p.until(`[...document.querySelectorAll("#facts-order div")].some((d) => d.textContent.startsWith("Order") &&
		/[1-9]$/.test(d.textContent))`)
}
