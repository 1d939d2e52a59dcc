package page

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// startBrowser starts headless Chromium, or skips the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no Chromium: make test-deps installs it")
		}
		t.Skip("no Chromium: make test-deps installs it, or says how")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // Chromium refuses to run as root otherwise; it loads nothing but our own page
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-gpu", true),
		chromedp.WSURLReadTimeout(60*time.Second),
	)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until the browser is gone, and its files with it
		closeBrowser()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return ctx
}

// tab is the page in a browser of its own: nothing is kept from other tests.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	forgiven   []string // parts of complaints that the test expects
}

// openTab opens the page of b. A test in which requests fail names parts
// of their addresses; whatever else the browser complains about fails the test.
func openTab(t *testing.T, browser context.Context, url string, forgiven ...string) *tab {
	t.Helper()
	// The icon is asked for when the browser likes, which may be while the test has the server
	// gone or its answers cut. That it is served is TestHandler's.
	p := &tab{t: t, forgiven: append(forgiven, "page/icon.svg")}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	p.ctx = ctx
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.complaints) > 0 {
			t.Errorf("the browser complains:\n%s", strings.Join(p.complaints, "\n"))
		}
	})
	// The tab lives as long as the context of the first call: not the short one of do.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	// Several windows are open, and each is to behave as the one in front.
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled,
		emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url))
	return p
}

// hear collects what would be red or yellow in the console: errors, exceptions
// and what the policy stopped.
func (p *tab) hear(event any) {
	complaint := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		complaint = fmt.Sprintf("exception: %s", e.ExceptionDetails.Text)
		if x := e.ExceptionDetails.Exception; x != nil {
			complaint += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		complaint = fmt.Sprintf("console.%s", e.Type)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelVerbose || e.Entry.Level == log.EntryLevelInfo {
			return
		}
		complaint = fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.forgiven {
		if strings.Contains(complaint, part) {
			return
		}
	}
	p.complaints = append(p.complaints, complaint)
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 2*patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// eval answers what an expression of JavaScript is, or what its promise comes to.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to become true.
func (p *tab) until(expression string) {
	p.t.Helper()
	if !wait(func() bool { return eval[bool](p, "!!("+expression+")") }) {
		p.t.Fatalf("in vain waited for: %s\nthe page:\n%s", expression, eval[string](p, "document.body.innerText"))
	}
}

// text waits until an element's text has want in it.
func (p *tab) text(selector, want string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.querySelector(%s)?.textContent.includes(%s)", quoted(selector), quoted(want)))
}

// quoted is a JavaScript literal of s.
func quoted(s string) string {
	b, _ := json.Marshal(s) // strings always can be
	return string(b)
}

// typeInto focuses an element and types.
func (p *tab) typeInto(selector, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.querySelector(%[1]s)?.disabled === false && "+
		"document.querySelector(%[1]s).checkVisibility()", quoted(selector)))
	eval[bool](p, fmt.Sprintf("{const e = document.querySelector(%s); e.focus(); e.select?.(); true}", quoted(selector)))
	p.do(chromedp.KeyEvent(text))
}

func (p *tab) press(keys string, options ...chromedp.KeyOption) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys, options...))
}

// unnamed lists the controls that have no name for a screen reader.
func (p *tab) unnamed() (roles []string, named int) {
	p.t.Helper()
	tree, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		p.t.Fatal(err)
	}
	value := func(v *accessibility.Value) string {
		var s string
		if v != nil {
			_ = json.Unmarshal(v.Value, &s) // what is not a string is no name
		}
		return s
	}
	for _, node := range tree.Nodes {
		role := value(node.Role)
		switch role {
		case "button", "textbox", "combobox", "checkbox", "link", "table", "region", "log", "image", "img", "figure",
			"searchbox":
		default:
			continue
		}
		if node.Ignored {
			continue
		}
		if strings.TrimSpace(value(node.Name)) == "" {
			roles = append(roles, fmt.Sprintf("%s (node %d)", role, node.BackendDOMNodeID))
		} else {
			named++
		}
	}
	return roles, named
}

// forgive lets complaints be that have text in them, the policy's included.
func (p *tab) forgive(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgiven = append(p.forgiven, text)
}
