package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"groupcast/loop"
	"groupcast/protocol"
	"groupcast/server/browser"
	"groupcast/server/monitor"
)

const hostile = `<img src=x onerror="document.title='broken'">`

// backend is an API with a status that the test sets. Owner: mu.
type backend struct {
	mu        sync.Mutex
	status    monitor.Status
	token     string
	gone      bool
	refusal   string
	published []string // group, then body
}

func (b *backend) set(change func(*backend)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.gone:
		panic(http.ErrAbortHandler)
	case !strings.HasPrefix(r.URL.Path, "/v1/"):
		Handler().ServeHTTP(w, r)
	case b.token != "" && r.Header.Get("Authorization") != "Bearer "+b.token:
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/v1/status":
		b.status.UptimeSeconds++
		_ = json.NewEncoder(w).Encode(b.status)
	case b.refusal != "":
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_ = json.NewEncoder(w).Encode(map[string]string{"title": "Too large", "detail": b.refusal})
	default:
		body, _ := io.ReadAll(r.Body)
		group := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/v1/groups/"), "/messages")
		b.published = append(b.published, r.Method, group, string(body))
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"order":4242}`)
	}
}

// screen is the page in a tab.
type screen struct {
	t   *testing.T
	ctx context.Context
}

func (s *screen) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if err := chromedp.Do(s.ctx, steps...); err != nil {
		s.t.Fatal(err)
	}
}

// text is what an expression says.
func (s *screen) text(expression string) string {
	s.t.Helper()
	got, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`String(`+expression+`)`))
	if err != nil {
		s.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// wait waits until an expression is true.
func (s *screen) wait(expression string) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for s.text(`!!(`+expression+`)`) != "true" {
		if time.Now().After(deadline) {
			s.shot("failed")
			s.t.Fatalf("not in time: %s", expression)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// shows waits until an element has that text.
func (s *screen) shows(id, want string) {
	s.t.Helper()
	s.wait(fmt.Sprintf(`document.getElementById(%q).textContent.includes(%q)`, id, want))
}

func (s *screen) fill(id, text string) {
	s.t.Helper()
	s.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.getElementById(%q).value = %q`, id, text)))
}

func (s *screen) click(id string) {
	s.t.Helper()
	s.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.getElementById(%q).click()`, id)))
}

// shot keeps a picture where PAGE_SHOTS says, if it does.
func (s *screen) shot(name string) {
	folder := os.Getenv("PAGE_SHOTS")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(s.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600)
	}
	if err != nil {
		s.t.Error(err)
	}
}

// complaints collects what the browser finds wrong, and who else is asked.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

func (c *complaints) listen(own string) func(any) {
	return func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			c.add("exception: %v", e.ExceptionDetails)
		case *runtime.EventConsoleAPICalled:
			c.add("console: %v", e.Type)
		case *log.EventEntryAdded:
			// A request that fails is logged by the browser itself, and meant here.
			if !strings.HasPrefix(e.Entry.Text, "Failed to load resource") {
				c.add("log: %s", e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if url := e.Request.URL; !strings.HasPrefix(url, own) && !strings.HasPrefix(url, "data:") {
				c.add("asks %s", url)
			}
		}
	}
}

func startEngine(t *testing.T) (e *loop.Engine, address string) {
	t.Helper()
	if err := protocol.Pretouch(); err != nil {
		t.Fatal(err)
	}
	o := loop.DefaultOptions()
	o.Logger = slog.New(slog.DiscardHandler)
	e, err := loop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := (&net.ListenConfig{KeepAlive: -1}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- e.Serve(ln) }()
	t.Cleanup(func() {
		_ = ln.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, ln.Addr().String()
}

func example(websocket string) monitor.Status {
	_, port, _ := net.SplitHostPort(websocket)
	one := monitor.Reactor{
		State: "ok", Sessions: 617, Groups: 21, Memberships: 900, Busy: 0.42, Messages: 1000, MessagesPerSecond: 40,
		DeliveriesPerSecond: 24_680, BytesInPerSecond: 4096, BytesOutPerSecond: 3 << 20, BacklogSessions: 1, BacklogBytes: 200 << 10,
		LatencyP50: 0.0021, LatencyP99: 0.0098,
	}
	other, total := one, one
	other.Index, other.Busy, other.RingDepth = 1, 0.91, 12
	total.Index, total.Sessions, total.DeliveriesPerSecond, total.MessagesPerSecond, total.BacklogBytes = -1, 1234, 49_360, 80, 400<<10
	return monitor.Status{
		Version: "1.0", Host: "pushhost", PID: 1, State: "ok", UptimeSeconds: 93_784, CPUs: 2, Load: [3]float64{0.5, 0.25, 0.1},
		ResidentBytes: 35 << 20, Connections: 1240, MaxConnections: 19_488, Reactors: []monitor.Reactor{one, other}, Total: total,
		Listeners: []monitor.Listener{
			{Kind: "websocket", Address: "0.0.0.0:" + port, State: "ok"},
			{Kind: "websocket", Address: "unix:/run/groupcast.sock", State: "ok"},
			{Kind: "api", Address: "127.0.0.1:1235", State: "ok"},
			{Kind: "channel", Address: "127.0.0.1:2206", State: "closed"},
		},
		TopGroups:   []monitor.Group{{Name: "news", Members: 800}, {Name: hostile, Members: 3}},
		Channel:     &monitor.Channel{Connections: 8, Subscriptions: 8, EventsIn: 1200, EventsOut: 9600},
		ChannelJoin: &monitor.ChannelJoin{Address: "10.0.0.7:2206", LastError: "connection refused"},
	}
}

// TestPage is a user's walk over the page, in one tab.
func TestPage(t *testing.T) {
	engine, address := startEngine(t)
	b := &backend{status: example(address)}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	ctx := browser.Start(t)
	wrong := &complaints{}
	if err := chromedp.Listen(ctx, wrong.listen(server.URL)); err != nil {
		t.Fatal(err)
	}
	s := &screen{t, ctx}
	s.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL+"/"))

	// Figures.
	s.shows("state", "ok")
	for id, want := range map[string]string{
		"sessions": "1,234", "deliveries": "49,360", "messages": "40 messages/s", "p50": "2.1 ms", "p99": "9.8 ms", "backlog": "400 KiB",
		"about": "up 1 d 2 h", "reactors": "91 %", "doors": "127.0.0.1:2206closed", "channel": "away: connection refused",
	} {
		s.shows(id, want)
	}
	s.wait(`document.querySelector('#chart-deliveries path').getAttribute('d').split('L').length >= 3`)
	b.set(func(b *backend) { b.status.Total.DeliveriesPerSecond = 60_000 })
	s.shows("deliveries", "60,000")
	s.wait(`/now 60,000 · min 49,360 · max 60,000/.test(document.getElementById('chart-deliveries-caption').textContent)`)

	// What others chose is text, and nothing else.
	s.shows("top", hostile)
	if got := s.text(`document.querySelectorAll('main img').length + document.title`); strings.Contains(got, "broken") || got[0] != '0' {
		t.Errorf("a group's name became markup: %s", got)
	}

	// Publish.
	s.fill("publish-group", "a/b c")
	s.fill("publish-message", "grüße <b>all</b>")
	s.click("publish-form") // no effect: only the button submits
	s.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('#publish-form button').click()`))
	s.shows("publish-note", "Published, as number 4,242.")
	b.set(func(b *backend) {
		if !slices.Equal(b.published, []string{"POST", "a/b c", "grüße <b>all</b>"}) {
			t.Errorf("published: %q", b.published)
		}
		b.refusal = "over the limit of 64 KiB " + hostile
	})
	s.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('#publish-form button').click()`))
	s.shows("publish-note", "Refused: over the limit of 64 KiB "+hostile)
	b.set(func(b *backend) { b.refusal = "" })

	// Join, listen, send, leave.
	s.fill("listen-group", hostile)
	s.click("listen-button")
	s.shows("listen-note", "In group "+hostile)
	if _, err := engine.Publish(t.Context(), hostile, []byte(hostile)); err != nil {
		t.Fatal(err)
	}
	s.wait(fmt.Sprintf(`document.querySelector('#heard span')?.textContent === %q`, hostile))
	s.fill("say-message", "from the page")
	s.click("say-button")
	s.wait(`document.querySelector('#heard span').textContent === 'from the page'`)
	if got := s.text(`document.querySelectorAll('#heard li').length + '/' + document.querySelectorAll('#heard img').length`); got != "2/0" {
		t.Errorf("messages/images: %s", got)
	}
	s.shot("light")
	s.click("listen-button")
	s.shows("listen-note", "Left.")

	s.walk()
	s.names()

	// Dark, and narrow.
	s.click("theme")
	s.click("theme")
	s.shows("theme", "dark")
	s.shot("dark")
	s.do(chromedp.EmulateViewport(360, 740))
	s.wait(`document.documentElement.scrollWidth <= 360`)
	s.shot("narrow")
	s.do(chromedp.EmulateViewport(1280, 900))

	// Draining; gone, and back.
	b.set(func(b *backend) { b.status.State = "draining" })
	s.shows("state", "draining: this server is going away")
	b.set(func(b *backend) { b.gone = true })
	s.shows("state", "not reachable")
	s.wait(`document.querySelector('#chart-deliveries rect.gap')`)
	b.set(func(b *backend) { b.gone, b.status.State = false, "ok" })
	s.shows("state", "ok")

	// A token.
	b.set(func(b *backend) { b.token = "secret" })
	s.wait(`!document.getElementById('token-form').hidden && document.activeElement.id === 'token'`)
	s.do(chromedp.KeyEvent("wrong\r"))
	s.shows("token-note", "does not know this token")
	s.do(chromedp.KeyEvent("secret\r"))
	s.wait(`document.getElementById('token-form').hidden && document.getElementById('state').textContent === 'ok'`)
	s.click("forget")
	s.wait(`!document.getElementById('token-form').hidden && document.getElementById('forget').hidden`)

	wrong.mu.Lock()
	defer wrong.mu.Unlock()
	for _, text := range wrong.list {
		if !strings.HasPrefix(text, "asks ws://127.0.0.1:") {
			t.Error(text)
		}
	}
}

// walk goes over the page by Tab alone and wants to come by every control.
func (s *screen) walk() {
	s.t.Helper()
	s.do(chromedp.Evaluate[chromedp.Void](`document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')`))
	var seen []string
	for range 40 {
		s.do(chromedp.KeyEvent("\t"))
		seen = append(seen, s.text(`document.activeElement.id || document.activeElement.textContent.trim()`))
	}
	for _, want := range []string{"theme", "publish-group", "publish-message", "Publish", "listen-group", "listen-port", "listen-button"} {
		if !slices.Contains(seen, want) {
			s.t.Errorf("Tab does not come by %s: %q", want, seen)
		}
	}
	s.do(chromedp.Evaluate[chromedp.Void](`document.getElementById('publish-group').focus()`), chromedp.KeyEvent("\r"))
	s.shows("publish-note", "Published")
}

// names: whoever cannot see it is told what each control is.
func (s *screen) names() {
	s.t.Helper()
	got := s.text(`[...document.querySelectorAll('input, textarea, select, button, svg.chart, [role=region], meter')].filter((e) =>
		!(e.labels?.length || e.textContent.trim() && e.matches('button') || e.ariaLabel ||
		document.getElementById(e.getAttribute('aria-labelledby'))?.textContent)).map((e) => e.outerHTML)`)
	if got != "" {
		s.t.Errorf("without a name: %s", got)
	}
}
