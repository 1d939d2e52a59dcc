package browser

import (
	"context"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"groupcast/server"
)

// TestOriginalPage runs the original program's page, byte for byte.
func TestOriginalPage(t *testing.T) {
	script, err := os.ReadFile("testdata/original.js")
	if err != nil {
		t.Fatal(err)
	}
	runPage(t, string(script), "Dies ist eine Nachricht")
}

// TestReadmeSnippet runs the text that the README tells people to paste.
func TestReadmeSnippet(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(readme), "```javascript\n")
	script, _, closed := strings.Cut(text, "```")
	if !found || !closed {
		t.Fatal("README.md has no javascript block")
	}
	runPage(t, script, "This is a message")
}

// TestWelcome pastes what the page at the WebSocket port says into two tabs of it: they hear
// each other.
func TestWelcome(t *testing.T) {
	browser := startBrowser(t, startServer(t))
	looking := openTab(t, browser, "")
	script := looking.look(`document.getElementById("snippet").textContent`)
	more := looking.look(`[...document.querySelectorAll("pre")].at(-1).textContent`)
	if border := looking.look(`getComputedStyle(document.querySelector("pre")).borderTopStyle`); border != "solid" {
		t.Errorf("the page's style is not let in: a border is %q", border)
	}

	first := openTab(t, browser, script)
	first.expect("hello")
	second := openTab(t, browser, script)
	second.expect("hello")
	first.expect("hello", "hello")
	second.paste(more)
	first.expect("hello", "hello", "more")
	second.expect("hello", "more")
}

// runPage pastes script into two tabs and has a client of another library join
// too: all of them see each other's messages.
func runPage(t *testing.T, script, text string) {
	t.Helper()
	addr := startServer(t)
	other := joinOther(t, addr)
	ctx := startBrowser(t, addr)

	first := openTab(t, ctx, script)
	first.expect(text)
	other.expect(text)

	second := openTab(t, ctx, script)
	second.expect(text)
	first.expect(text, text)
	other.expect(text)

	other.send(`{"cmd":"send_to_group","group_id":"123","message":"from another library"}`)
	first.expect(text, text, "from another library")
	second.expect(text, "from another library")
}

func startServer(t *testing.T) (addr string) {
	t.Helper()
	o := server.DefaultOptions()
	o.Listen, o.API, o.Control = []string{"127.0.0.1:0"}, []string{"none"}, "none"
	s, err := server.Start(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.Addresses()[0]
}

// tab is a page whose console is collected in lines.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu  sync.Mutex
	red []string // what the console has shown in red
}

// startBrowser starts Chromium, in which 127.0.0.1:1234 is addr: so the scripts
// need not be changed, nor the port be free.
func startBrowser(t *testing.T, addr string) context.Context {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return startChromium(t, chromedp.Flag("host-resolver-rules", "MAP 127.0.0.1:1234 127.0.0.1:"+port))
}

// openTab opens the page at the WebSocket port and pastes script into its console, which
// must show nothing in red until the test ends. The page has to be on this machine: Chromium
// does not let others, about:blank included, talk to it unless somebody allows that.
func openTab(t *testing.T, browser context.Context, script string) *tab {
	t.Helper()
	p := openTabAt(t, browser, "http://127.0.0.1:1234/", script)
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.red) > 0 {
			t.Errorf("the console shows in red: %q", p.red)
		}
	})
	return p
}

// openTabAt opens another page, whose console may show anything.
func openTabAt(t *testing.T, browser context.Context, url, script string) *tab {
	t.Helper()
	p := &tab{t: t}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithListener(p.hear))
	p.ctx = ctx
	t.Cleanup(cancel)
	err := chromedp.Do(ctx,
		chromedp.Navigate(url),
		chromedp.Evaluate[chromedp.Void](`window.lines = []; console.log = (...all) => lines.push(all.join(" "))`),
	)
	if err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	p.paste(script)
	return p
}

// hear notes what the console shows in red.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.red = append(p.red, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelWarning || e.Entry.Level == log.EntryLevelError {
			p.red = append(p.red, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// paste runs script as the console does.
func (p *tab) paste(script string) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.Evaluate[chromedp.Void](script)); err != nil {
		p.t.Fatalf("paste %q: %v", script, err)
	}
}

// look is the value of an expression.
func (p *tab) look(expression string) string {
	p.t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// expect waits until the console shows exactly these lines.
func (p *tab) expect(want ...string) {
	p.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		got, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string](`lines`))
		if err != nil {
			p.t.Fatalf("read the console: %v", err)
		}
		if len(got) >= len(want) {
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				p.t.Fatalf("the console shows %q, want %q", got, want)
			}
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the console shows %q, want %q", got, want)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// peer is a client of another library.
type peer struct {
	t *testing.T
	c *websocket.Conn
}

func joinOther(t *testing.T, addr string) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+addr, nil) //nolint:bodyclose // the library says: never necessary
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	p := &peer{t, c}
	p.send(`{"cmd":"add_group","group_id":"123","req_id":1}`)
	p.expect(`{"cmd":"ack","req_id":1}`)
	return p
}

func (p *peer) send(text string) {
	p.t.Helper()
	if err := p.c.Write(p.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) expect(want string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	_, got, err := p.c.Read(ctx)
	if err != nil || string(got) != want {
		p.t.Fatalf("received %q (%v), want %q", got, err, want)
	}
}
