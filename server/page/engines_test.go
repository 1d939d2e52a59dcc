package page

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/coder/websocket"
)

// The essential tests of the page, written once for every engine that a browser may have.
// TestPage, which looks at all else, is Chromium's.

// engine drives the one page of a browser, whichever that is.
type engine interface {
	// open goes to an address and waits until it is loaded.
	open(ctx context.Context, url string) error
	// evaluate is the JSON of what an expression, or its promise, comes to.
	evaluate(ctx context.Context, expression string) (json.RawMessage, error)
	// press has keys pressed, one for each character; enter is one of them.
	press(ctx context.Context, keys string) error
	resize(ctx context.Context, width, height int) error
	// picture is a PNG of what is seen.
	picture(ctx context.Context) ([]byte, error)
	// complaints are what the console has shown in yellow or red since the last call.
	complaints() []string
}

// enter is the key, as WebDriver names it.
const enter = "\ue007"

// engines start a browser that ends with the test, or skip the test.
var engines = []struct {
	name  string
	start func(t *testing.T) engine
}{
	{"chromium", startChromiumEngine},
	{"firefox", startFirefox},
	{"webkit", startWebKit},
}

// enginesEnv says that these tests are wanted: make browsers. Without it they are skipped,
// since two of the engines take half a gigabyte to install.
const enginesEnv = "PAGE_ENGINES"

func TestEngines(t *testing.T) {
	if os.Getenv(enginesEnv) == "" {
		t.Skip("make browsers runs it")
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			v := &view{t: t, engine: e.start(t), name: e.name}
			for _, c := range []struct {
				name string
				test func(*view)
			}{
				{"opens", engineOpens},
				{"joins and receives", engineJoins},
				{"gone and back", engineGone},
				{"theme", engineTheme},
				{"narrow", engineNarrow},
				{"shots", engineShots},
			} {
				t.Run(c.name, func(t *testing.T) {
					of := *v
					of.t = t
					of.resize(1280, 900)
					c.test(&of)
				})
			}
		})
	}
}

// lacks skips a test for want of a program, but for a continuous integration.
func lacks(t *testing.T, program, packages string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("no %s: make browsers-deps installs it", program)
	}
	t.Skipf("no %s; to have it: sudo apt-get install %s", program, packages)
}

// view is an engine in the hands of one test.
type view struct {
	t      *testing.T
	name   string
	engine engine
}

func (v *view) within(do func(context.Context) error) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if err := do(ctx); err != nil {
		v.t.Fatalf("%s: %v", v.name, err)
	}
}

func (v *view) open(url string) {
	v.t.Helper()
	v.within(func(ctx context.Context) error { return v.engine.open(ctx, url) })
}

func (v *view) resize(width, height int) {
	v.t.Helper()
	v.within(func(ctx context.Context) error { return v.engine.resize(ctx, width, height) })
}

func (v *view) press(keys string) {
	v.t.Helper()
	v.within(func(ctx context.Context) error { return v.engine.press(ctx, keys) })
}

// is whether an expression is true.
func (v *view) is(expression string) (yes bool) {
	v.t.Helper()
	v.look("!!("+expression+")", &yes)
	return yes
}

// look reads what an expression comes to.
func (v *view) look(expression string, to any) {
	v.t.Helper()
	v.within(func(ctx context.Context) error {
		value, err := v.engine.evaluate(ctx, expression)
		if err != nil {
			return fmt.Errorf("%s: %w", expression, err)
		}
		return json.Unmarshal(value, to)
	})
}

func (v *view) until(expression string) {
	v.t.Helper()
	if !wait(func() bool { return v.is(expression) }) {
		var page string
		v.look("document.body.innerText", &page)
		v.t.Fatalf("in vain waited for: %s\nthe page:\n%s", expression, page)
	}
}

func (v *view) text(selector, want string) {
	v.t.Helper()
	v.until(fmt.Sprintf("document.querySelector(%s)?.textContent.includes(%s)", quoted(selector), quoted(want)))
}

func (v *view) typeInto(selector, text string) {
	v.t.Helper()
	v.until(fmt.Sprintf(`((e) => e && !e.disabled && e.getClientRects().length > 0 &&
		(e.focus(), e.select(), document.activeElement === e))(document.querySelector(%s))`, quoted(selector)))
	v.press(text)
}

// clean fails the test if the console has shown anything in yellow or red.
func (v *view) clean() {
	v.t.Helper()
	if found := v.engine.complaints(); len(found) > 0 {
		v.t.Errorf("the console shows %q", found)
	}
}

// engineOpens: numbers, charts, groups, without a word in the console, which is heard.
func engineOpens(v *view) {
	b := startBackend(v.t, "0.0.0.0:1234")
	v.open(b.url)
	v.text("#state", "ok")
	v.until(`/[0-9]/.test(document.querySelector('[data-now="deliveries"]').textContent)`)
	v.until(`document.querySelector("#chart-sessions .line") && document.querySelector("#groups tbody tr")`)
	v.text("#groups", "8,123")
	v.clean()
	v.is(`console.error("is it heard?") ?? true`)
	if !wait(func() bool { return len(v.engine.complaints()) > 0 }) {
		v.t.Error("what the console shows is not heard")
	}
}

// engineJoins: a token is wanted; with it the page joins, publishes, receives and lists.
func engineJoins(v *view) {
	r := startReal(v.t)
	v.open(r.url)
	v.until(`!document.getElementById("token-form").hidden && document.getElementById("all").hidden`)
	v.typeInto("#token", apiToken+enter)
	v.text("#about", "here · real")
	_ = v.engine.complaints() // that it was unauthorized is shown
	v.typeInto("#listen-group", "a/b ü"+enter)
	v.text("#listen-state", "Listening to a/b ü")
	v.typeInto("#publish-group", "a/b ü")
	v.typeInto("#publish-message", "through it all"+enter)
	v.text("#publish-answer", "Published as message")
	v.text("#log", "through it all")
	v.typeInto("#say-message", "said"+enter)
	v.until(`[...document.querySelectorAll("#log li bdi")].some((e) => e.textContent === "said")`)
	v.text("#groups", "a/b ü")
	v.typeInto("#find-group", "a/b ü") // enter would be for the list of names below it
	v.is(`document.getElementById("find").requestSubmit() ?? true`)
	v.text("#group-members", "1 member")
	v.until(`document.querySelector("#group-sessions button") && document.getElementById("group").open`)
	v.is(`document.getElementById("group-close").click() ?? true`)
	v.until(`!document.getElementById("group").open`)
	v.is(`document.getElementById("listen-toggle").click() ?? true`)
	v.text("#listen-state", "Not connected")
	v.clean()
}

// engineGone: an absent server is said, and found when it is back.
func engineGone(v *view) {
	b := startBackend(v.t, "0.0.0.0:1234")
	v.open(b.url)
	v.text("#state", "ok")
	b.change(func(b *backend) { b.gone = true })
	v.text("#state", "unreachable")
	v.text("#notice", "No answer from the server since")
	b.change(func(b *backend) { b.gone = false })
	v.text("#state", "ok")
	v.until(`document.getElementById("notice").hidden`)
	_ = v.engine.complaints() // that nobody answered is shown
}

func (v *view) choose(theme string) {
	v.t.Helper()
	v.is(fmt.Sprintf(`((s) => { s.value = %s; s.dispatchEvent(new Event("change")); return true; })(document.getElementById("theme"))`,
		quoted(theme)))
	v.until(fmt.Sprintf(`(getComputedStyle(document.body).backgroundColor === "rgb(17, 21, 23)") === %t`, theme == "dark"))
}

// engineTheme: it changes at once, and stays over a reload.
func engineTheme(v *view) {
	b := startBackend(v.t, "0.0.0.0:1234")
	v.open(b.url)
	v.text("#state", "ok")
	v.choose("light")
	v.choose("dark")
	v.open(b.url)
	v.until(`getComputedStyle(document.body).backgroundColor === "rgb(17, 21, 23)"`)
	v.clean()
}

// engineNarrow: nothing is wider than a telephone, and the table that may be, scrolls.
func engineNarrow(v *view) {
	for _, token := range []string{"", "secret"} {
		b := startBackend(v.t, "0.0.0.0:1234")
		b.change(func(b *backend) { loaded(b); b.token = token })
		v.open(b.url)
		if token == "" {
			v.text("#groups", "lobby")
		} else {
			v.text("#state", "locked")
		}
		v.resize(390, 844)
		v.until("innerWidth === 390")
		var wide []string
		v.look(`[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 &&
			!e.closest(".scroll, .skip, .unseen, dialog")).map((e) => e.outerHTML.slice(0, 80))`, &wide)
		if len(wide) > 0 || !v.is("document.documentElement.scrollWidth <= innerWidth") {
			v.t.Errorf("wider than 390: %q", wide)
		}
		_ = v.engine.complaints()
	}
}

// engineShots are pictures for people to look at: make shots.
func engineShots(v *view) {
	dir := os.Getenv("PAGE_SHOTS")
	if dir == "" || v.name == "chromium" {
		v.t.Skip("PAGE_SHOTS names no directory, or it is Chromium, of which TestPage takes more")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		v.t.Fatal(err)
	}
	for _, state := range states {
		b := startBackend(v.t, "0.0.0.0:1234")
		b.change(state.make)
		v.open(b.url)
		if state.word == "unreachable" {
			v.text("#state", "ok")
			b.change(func(b *backend) { b.gone = true })
		}
		v.text("#state", state.word)
		for _, width := range []int{390, 1280} {
			v.resize(width, map[int]int{390: 3800, 1280: 2500}[width])
			v.until(fmt.Sprintf("innerWidth === %d", width))
			for _, theme := range []string{"light", "dark"} {
				v.choose(theme)
				v.within(func(ctx context.Context) error {
					picture, err := v.engine.picture(ctx)
					if err != nil {
						return err
					}
					name := fmt.Sprintf("%s-%s-%d-%s.png", v.name, state.name, width, theme)
					return os.WriteFile(filepath.Join(dir, name), picture, 0o600)
				})
			}
		}
		_ = v.engine.complaints()
	}
}

// chromiumEngine is a tab of TestPage's, as an engine.
type chromiumEngine struct{ *tab }

func startChromiumEngine(t *testing.T) engine {
	t.Helper()
	return chromiumEngine{openTab(t, startBrowser(t), "about:blank")}
}

func (c chromiumEngine) open(_ context.Context, url string) error {
	return chromedp.Do(c.ctx, chromedp.Navigate(url))
}

func (c chromiumEngine) evaluate(_ context.Context, expression string) (json.RawMessage, error) {
	return chromedp.Run(c.ctx, chromedp.Evaluate[json.RawMessage](expression, chromedp.EvalAwaitPromise))
}

func (c chromiumEngine) press(_ context.Context, keys string) error {
	return chromedp.Do(c.ctx, chromedp.KeyEvent(strings.ReplaceAll(keys, enter, kb.Enter)))
}

func (c chromiumEngine) resize(_ context.Context, width, height int) error {
	return chromedp.Do(c.ctx, chromedp.EmulateViewport(int64(width), int64(height)))
}

func (c chromiumEngine) picture(context.Context) ([]byte, error) {
	return chromedp.Run(c.ctx, chromedp.CaptureScreenshot())
}

func (c chromiumEngine) complaints() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.tab.complaints
	c.tab.complaints = nil
	return found
}

// keyActions are keys as WebDriver and WebDriver BiDi have them.
func keyActions(keys string) []any {
	var steps []any
	for _, key := range keys {
		for _, step := range []string{"keyDown", "keyUp"} {
			steps = append(steps, map[string]any{"type": step, "value": string(key)})
		}
	}
	return []any{map[string]any{"type": "key", "id": "keyboard", "actions": steps}}
}

// dialUntil connects to what a browser has just begun to listen to.
func dialUntil(ctx context.Context, url string) (c *websocket.Conn, err error) {
	for {
		c, _, err = websocket.Dial(ctx, url, nil) //nolint:bodyclose // the library says: never necessary
		if err == nil || ctx.Err() != nil {
			return c, err
		}
		<-time.After(50 * time.Millisecond)
	}
}
