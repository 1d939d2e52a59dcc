package page

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/chromedp/chromedp/kb"

	"groupcast/server/api"
	"groupcast/server/monitor"
)

// testWithAPI has everything real: the API with a token, the monitor, the loops.
func testWithAPI(s scene) {
	t := s.t
	engine, addr := startEngine(t)
	m := monitor.New(engine, monitor.Info{
		Version: "real", Host: "here", StartedAt: time.Now(), CPUs: 2,
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
		Engine: engine, Monitor: m, Limits: api.DefaultLimits(), Tokens: []string{"0123456789abcdef"},
		Logger: slog.New(slog.DiscardHandler), Page: Handler(),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Handler(true))
	t.Cleanup(server.Close)

	p := openTab(t, s.browser, server.URL, "/v1/status")
	p.until(`!document.getElementById("token-form").hidden`)
	p.typeInto("#token", "0123456789abcdef"+kb.Enter)
	p.text("#about", "here · real")
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
	p.until(`/^[1-9].* since the start/.test(document.querySelector("#chart-deliveries [data-hint]").textContent)`)
}
