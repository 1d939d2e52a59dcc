package page

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/coder/websocket"

	"groupcast/loop"
	"groupcast/server/monitor"
)

// hostile is a name or a message that would do harm as markup, and that turns
// the text around it.
const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>&amp;` +
	"\u202egnp.exe\u0007"

// scene is what a part of TestPage has to work with.
type scene struct {
	t       *testing.T
	browser context.Context
}

// TestPage runs the page in a real browser, one for all, with a window for each.
func TestPage(t *testing.T) {
	browser := startBrowser(t)
	for _, c := range []struct {
		name string
		test func(scene)
	}{
		{"numbers", testNumbers},
		{"cluster", testCluster},
		{"charts", testCharts},
		{"history", testHistory},
		{"happening", testHappening},
		{"words", testWords},
		{"scales", testScales},
		{"lined up", testLinedUp},
		{"publish", testPublish},
		{"listen", testListen},
		{"listen again", testListenAgain},
		{"hostile names", testHostileNames},
		{"token", testToken},
		{"gone and back", testGoneAndBack},
		{"states", testStates},
		{"keyboard", testKeyboard},
		{"names of controls", testNamesOfControls},
		{"contrast", testContrast},
		{"theme", testTheme},
		{"narrow", testNarrow},
		{"a real API", testWithAPI},
		{"groups", testGroups},
		{"odd names", testOddNames},
		{"sessions", testSessions},
		{"users", testUsers},
		{"joining early", testJoiningEarly},
		{"countdown", testCountdown},
		{"only the form", testOnlyTheForm},
		{"telephone", testTelephone},
		{"named once", testNamedOnce},
		{"axe", testAxe},
		{"shots", testShots},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(scene{t, browser})
		})
	}
}

func testNumbers(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	p := openTab(t, browser, b.url)
	p.text("#state", "ok")
	p.text("#about", "push-1 · 1.2.3 · up 1 d 3 h")
	p.text("#chart-sessions", "of 19,488 at most")
	p.text("#groups", "lobby")
	p.text("#groups", "8,123")
	p.text("#facts-process", "4711, go1.26.0")
	p.text("#listeners", "unix:/run/groupcast/groupcast.sock")
	p.text("#listeners", "closed")
	first := eval[string](p, `document.querySelector('[data-now="sessions"]').textContent`)
	p.until(fmt.Sprintf(`document.querySelector('[data-now="sessions"]').textContent !== %s`, quoted(first)))
	if rows := eval[int](p, `document.querySelectorAll("#loops tbody tr").length`); rows != 4 {
		t.Errorf("%d reactors", rows)
	}
	p.until(`/^\d+ %$/.test(document.querySelector("#loops tbody tr td.busy .text").textContent)`)
	if eval[bool](p, `!document.getElementById("channel").hidden || !document.getElementById("channel-join").hidden`) {
		t.Error("a Channel server is shown that is not there")
	}

	b.change(func(b *backend) {
		b.status.Channel = &monitor.Channel{Connections: 3, EventsIn: 4242}
		b.status.ChannelJoin = &monitor.ChannelJoin{Address: "10.0.0.9:2206", Reconnects: 17, LastError: "refused"}
		b.status.Reactors = b.status.Reactors[:2]
		b.status.TopGroups = nil
	})
	p.text("#channel", "4,242")
	p.text("#channel-join", "10.0.0.9:2206")
	p.text("#channel-join", "refused")
	p.text("#groups-empty", "No group")
	p.until(`document.querySelectorAll("#loops tbody tr").length === 2 && !document.querySelector("#groups tbody tr")`)
}

// The cluster is shown where there is one, its nodes with their states as coloured words.
func testCluster(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	p := openTab(t, browser, b.url)
	p.text("#state", "ok")
	if eval[bool](p, `!document.getElementById("cluster").hidden`) {
		t.Error("a cluster is shown where there is none")
	}
	b.change(clustered)
	p.text("#cluster-state", "up")
	p.text("#facts-bus", "10.0.0.7:4222")
	p.text("#facts-crossed", "1,234,567")
	p.text("#facts-missed", "68.4 KiB")
	const row = `document.querySelectorAll("#nodes tbody tr")`
	p.until(row + `.length === 4`)
	for i, want := range []string{"push-2 up 9,421 1,200", "push-3 silent", "push-4 gone", "push-5 left"} {
		text := eval[string](p, fmt.Sprintf(`[...%s[%d].cells].map((c) => c.querySelector(".text")?.textContent ??
			c.textContent).join(" ")`, row, i))
		if !strings.HasPrefix(text, want) {
			t.Errorf("row %d is %q, want %q", i, text, want)
		}
	}
	p.text("#nodes", "has --channel-join")
	colour := func(selector string) string {
		return eval[string](p, fmt.Sprintf(`getComputedStyle(document.querySelector(%s)).color`, quoted(selector)))
	}
	colours := map[string]bool{}
	for _, state := range []string{"up", "silent", "gone", "left"} {
		colours[colour(`#nodes [data-state="`+state+`"].state`)] = true
	}
	if len(colours) != 4 {
		t.Errorf("four states have the colours %v", colours)
	}
	b.change(func(b *backend) {
		c := b.status.Cluster
		c.State, c.Joined, c.Server, c.Nodes, c.Wildcard = "away", false, "", nil, true
	})
	p.text("#cluster-state", "away")
	p.text("#cluster-about", "no NATS server can be reached")
	p.text("#facts-crossed", "all groups")
	p.text("#nodes-empty", "No other node")
	b.change(func(b *backend) { b.status.Cluster.State, b.status.Cluster.NameTaken = "up", true })
	p.text("#cluster-state", "name taken")
	p.text("#cluster-about", "--nats-node")
	b.change(func(b *backend) { b.status.Cluster.NameTaken = false })
	p.text("#cluster-state", "joining")
}

func testCharts(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	p := openTab(t, browser, b.url)
	for _, id := range []string{"sessions", "deliveries", "latency", "backlog"} {
		chart := "#chart-" + id + " svg"
		p.until(fmt.Sprintf("document.querySelector(%s)?.dataset.points >= 2", quoted(chart)))
		p.text(chart, "now")
		p.text(chart, "−60 s")
		label := eval[string](p, fmt.Sprintf("document.querySelector(%s).getAttribute('aria-label')", quoted(chart)))
		if !strings.Contains(label, "the last 120 seconds") || !strings.Contains(label, "max ") {
			t.Errorf("%s: %q", id, label)
		}
		p.text("#chart-"+id+" .range", "max")
	}
	p.until(`document.querySelector("#chart-deliveries .line") &&
		document.querySelectorAll("#chart-latency .line").length >= 2`)
	p.text("#chart-latency svg", "ms")

	// Nothing delivered is no latency of zero.
	b.change(func(b *backend) { b.status.Reactors = nil })
	p.until(`document.querySelector('[data-now="p99"]').textContent === "–"`)
	p.text("#chart-latency [data-hint]", "nothing delivered")
}

func testPublish(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	p := openTab(t, browser, b.url, "/v1/publish")
	p.typeInto("#publish-group", "a/b c?ä")
	p.typeInto("#publish-message", "two")
	p.press(kb.Enter, chromedp.KeyModifiers(kb.ModifierShift))
	p.press("<b>lines</b>")
	p.press(kb.Enter)
	p.text("#publish-answer", "Published as message 1,234.")
	want := publication{"/v1/groups/a%2Fb%20c%3F%C3%A4/messages", "two\n<b>lines</b>", "", b.url}
	if got := b.publications(); len(got) != 1 || got[0] != want {
		t.Fatalf("published %+v, want %+v", got, want)
	}

	// What a path cannot say goes another way.
	ready := `!document.querySelector("#publish button").ariaDisabled`
	p.until(ready)
	p.typeInto("#publish-message", `"quoted"`)
	p.typeInto("#publish-group", "..")
	p.press(kb.Enter)
	if !wait(func() bool { return len(b.publications()) == 2 }) {
		t.Fatal("not published")
	}
	if got := b.publications()[1]; got.path != "/v1/publish" || got.body != `{"groups":[".."],"message":"\"quoted\""}` {
		t.Errorf("published %+v", got)
	}

	p.until(ready)
	p.typeInto("#publish-message", "refuse this")
	p.press(kb.Enter)
	p.text("#publish-answer", "Not published: <b>over the limit</b>")

	// An empty form asks nobody.
	eval[bool](p, `document.getElementById("publish").reset() ?? true`)
	p.typeInto("#publish-group", "x")
	p.press(kb.Enter)
	p.until(`document.querySelector("#publish-message:invalid")`)
	if n := len(b.publications()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// TestPage/listen goes through a real engine.
func testListen(s scene) {
	t, browser := s.t, s.browser
	engine, addr := startEngine(t)
	b := startBackend(t, strings.Replace(addr, "127.0.0.1", "0.0.0.0", 1))
	p := openTab(t, browser, b.url)
	p.until(fmt.Sprintf(`document.getElementById("listen-at").value === %s`, quoted("ws://"+addr)))
	group := "room 7 " + hostile
	eval[bool](p, fmt.Sprintf(`(document.getElementById("listen-group").value = %s) !== ""`, quoted(group)))
	p.typeInto("#listen-group", kb.End)
	p.press(kb.Enter)
	p.text("#listen-state", "Listening to room 7")
	p.text("#listen-toggle", "Leave")

	// From outside, from another client, and from the page itself.
	for _, payload := range []string{"hello", hostile, "two\nlines"} {
		if _, err := engine.Publish(t.Context(), group, []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	p.text("#log", "hello")
	p.text("#log", "two\nlines")
	p.text("#log", "<script>document.title='owned'</script>")
	p.text("#log", `\u{202e}gnp.exe\u{7}`)
	p.text("#log-count", "3 messages")
	p.typeInto("#say-message", "said here")
	p.press(kb.Enter)
	p.text("#log", "said here")
	p.until(`/^\d\d:\d\d:\d\d\.\d{3}$/.test(document.querySelector('#log [data-kind="message"] time').textContent)`)
	if eval[bool](p, `document.querySelector("#log img, #log script, #groups img") !== null ||
		document.title.includes("owned")`) {
		t.Error("a message became markup")
	}

	other := dial(t, addr)
	send(t, other, map[string]any{"cmd": "send_to_group", "group_id": group, "message": map[string]any{"a": []int{1, 2}}})
	p.text("#log", `{"a":[1,2]}`)

	// More than are kept.
	for i := range 300 {
		if _, err := engine.Publish(t.Context(), group, fmt.Appendf(nil, "number %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	p.text("#log", "number 299")
	p.text("#log-count", "305 messages, the last 200 kept")
	if n := eval[int](p, `document.querySelector("#log ol").childElementCount`); n != 200 {
		t.Errorf("%d entries in the list", n)
	}
	p.do(chromedp.Click("#log-clear", chromedp.NodeVisible))
	p.until(`document.querySelector("#log ol").childElementCount === 0`)
	p.do(chromedp.Click("#log-aloud", chromedp.NodeVisible))
	p.until(`document.getElementById("log").getAttribute("aria-live") === "polite"`)

	p.do(chromedp.Click("#listen-toggle", chromedp.NodeVisible))
	p.text("#listen-state", "Not connected.")
	p.until(`document.getElementById("say-message").disabled && !document.getElementById("listen-group").disabled`)
	if !wait(func() bool { _, err := engine.Group(t.Context(), group); return err != nil }) {
		t.Error("the page's session is still a member")
	}
}

// A connection that was lost comes back by itself, and refusals are said.
func testListenAgain(s scene) {
	t, browser := s.t, s.browser
	engine, addr := startEngine(t)
	b := startBackend(t, addr)
	p := openTab(t, browser, b.url, "ws://")
	p.until(fmt.Sprintf(`document.getElementById("listen-at").value === %s`, quoted("ws://"+addr)))

	p.typeInto("#listen-group", strings.Repeat("x", 257))
	p.press(kb.Enter)
	p.text("#listen-state", "Not joined: ")
	p.text("#listen-toggle", "Join")

	p.typeInto("#listen-group", "room")
	p.press(kb.Enter)
	p.text("#listen-state", "Listening to room")
	sessions, _, err := engine.Sessions(t.Context(), loop.SessionID{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		_ = engine.CloseSession(t.Context(), s.ID, 1008, "out <b>you</b> go") // the page shows whether it worked
	}
	p.text("#log", "The connection ended: the server closed this session")
	p.text("#log", "(1008 out <b>you</b> go).")
	p.text("#listen-state", "Listening to room")
	p.until(`[...document.querySelectorAll("#log li")].filter((e) => e.textContent.includes("Joined room")).length === 2`)
	p.do(chromedp.Click("#listen-toggle", chromedp.NodeVisible))

	// An address of somebody else's is not even tried.
	eval[bool](p, `{const at = document.getElementById("listen-at"); at.value = "other";
		at.dispatchEvent(new Event("change")); true}`)
	p.forgive("Content Security Policy")
	p.typeInto("#listen-url", "ws://192.0.2.1:1234")
	p.press(kb.Enter)
	p.text("#listen-state", "This page may open WebSockets to the host it was asked of only")
	p.typeInto("#listen-url", "nonsense:")
	p.press(kb.Enter)
	p.text("#listen-state", "Not an address for a WebSocket")
	p.typeInto("#listen-url", "ws://"+addr)
	p.press(kb.Enter)
	p.text("#listen-state", "Listening to room at ws://"+addr)
}

func dial(t *testing.T, addr string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), "ws://"+addr, nil) //nolint:bodyclose // the connection is what is closed
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func send(t *testing.T, c *websocket.Conn, command any) {
	t.Helper()
	text, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(t.Context(), websocket.MessageText, text); err != nil {
		t.Fatal(err)
	}
}

func testHostileNames(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	b.change(func(b *backend) {
		s := &b.status
		s.Host, s.Version = hostile, hostile
		s.TopGroups = []monitor.Group{
			{Name: hostile, Members: 3},
			{Name: "</td></tr></table>", Members: 2},
			{Name: strings.Repeat("W", 256), Members: 1},
		}
		s.Listeners = append(s.Listeners, monitor.Listener{
			Kind: monitor.KindAPI, Address: "unix:" + hostile,
			State: monitor.ListenerOK,
		})
		s.ChannelJoin = &monitor.ChannelJoin{Address: hostile, LastError: hostile}
		s.Cluster = &monitor.Cluster{
			Node: hostile, State: monitor.ClusterUp, Server: hostile, LastError: hostile,
			Nodes: []monitor.ClusterNode{{Name: hostile, Version: hostile, Host: strings.Repeat("W", 253), State: hostile}},
		}
	})
	p := openTab(t, browser, b.url)
	const shown = `<script>document.title='owned'</script>&amp;\u{202e}gnp.exe\u{7}`
	for _, selector := range []string{"#about", "#groups", "#listeners", "#channel-join", "#facts-bus", "#nodes"} {
		p.text(selector, shown)
	}
	p.text("#groups", "</td></tr></table>")
	p.until(`document.querySelectorAll("#group-names option").length === 3`)
	if eval[bool](p, `document.querySelector("main img, main script") !== null || document.title === "owned"`) {
		t.Error("a name became markup")
	}
	if eval[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("a long name makes the page wider than its window")
	}
}

func testToken(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	b.change(func(b *backend) { b.token = "correct-horse" })
	p := openTab(t, browser, b.url, "/v1/")
	p.until(`!document.getElementById("token-form").hidden && document.activeElement.id === "token"`)
	p.text("#state", "locked")
	p.press("two words" + kb.Enter)
	p.text("#token-error", "no spaces")
	p.typeInto("#token", "wrong"+kb.Enter)
	p.text("#token-error", "does not take this token")
	p.typeInto("#token", "correct-horse"+kb.Enter)
	p.text("#state", "ok")
	p.until(`document.getElementById("token-form").hidden && !document.getElementById("forget").hidden`)
	p.typeInto("#publish-group", "g")
	p.typeInto("#publish-message", "m"+kb.Enter)
	p.text("#publish-answer", "Published")
	if got := b.publications()[0].authorization; got != "Bearer correct-horse" {
		t.Errorf("published with %q", got)
	}

	// It outlives a reload, is nowhere else, and can be forgotten.
	p.do(chromedp.Reload())
	p.text("#state", "ok")
	if eval[bool](p, `JSON.stringify(localStorage).includes("horse") || document.cookie.includes("horse") ||
		location.href.includes("horse")`) {
		t.Error("the token is kept elsewhere too")
	}
	p.do(chromedp.Click("#forget", chromedp.NodeVisible))
	p.until(`!document.getElementById("token-form").hidden && document.getElementById("forget").hidden`)
	if eval[bool](p, `sessionStorage.length > 0`) {
		t.Error("the token was not forgotten")
	}
}

func testGoneAndBack(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	p := openTab(t, browser, b.url, "/v1/")
	p.until(`document.querySelector("#chart-sessions svg")?.dataset.points >= 2`)
	b.change(func(b *backend) { b.gone = true })
	p.text("#notice", "No answer from the server since")
	p.text("#state", "unreachable")
	p.until(`!document.getElementById("notice").hidden && document.title.includes("unreachable")`)
	p.until(`document.querySelector("#chart-sessions .gap") &&
		document.querySelector("#chart-sessions svg").dataset.gaps >= 1`)
	p.until(`document.querySelector("#chart-sessions svg").getAttribute("aria-label").includes("Without data")`)
	// Long enough to be a hole in what the server knows, too: it is sampled with each question.
	p.until(`[...document.querySelectorAll("#chart-sessions .gap")].at(-1).getAttribute("width") > 12`)

	p.typeInto("#publish-group", "g")
	p.typeInto("#publish-message", "m"+kb.Enter)
	p.text("#publish-answer", "No answer")

	points := eval[int](p, `+document.querySelector("#chart-sessions svg").dataset.points`)
	b.change(func(b *backend) { b.gone = false })
	p.text("#state", "ok")
	p.until(`document.getElementById("notice").hidden && !document.title.includes("unreachable")`)
	p.until(fmt.Sprintf(`document.querySelector("#chart-sessions svg").dataset.points >= %d`, points+2))
	p.until(`document.querySelector("#chart-sessions svg").dataset.gaps >= 1`)
}

func testStates(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	p := openTab(t, browser, b.url)
	b.change(func(b *backend) { b.status.State = monitor.StateDraining })
	p.text("#notice", "The server is draining")
	b.change(func(b *backend) {
		b.status.State, b.status.Reactors[1].State = monitor.StateStalled, monitor.StateStalled
	})
	p.text("#notice", "The server is stalled")
	p.until(`document.querySelector('#loops td.state[data-state="stalled"]')`)
	b.change(func(b *backend) { b.status.State = monitor.StateOK })
	p.until(`document.getElementById("notice").hidden`)
	b.change(func(b *backend) { b.frozen = true })
	p.text("#notice", "its numbers have not changed since")
	b.change(func(b *backend) { b.frozen, b.status.StartedAt = false, b.status.StartedAt.Add(1) })
	p.until(`document.getElementById("notice").hidden`)
	p.until(`document.querySelector("#chart-sessions .gap")`)
}

// Tab reaches every control, in the order of the page, and each shows that it
// has the focus.
func testKeyboard(s scene) {
	t, browser := s.t, s.browser
	_, addr := startEngine(t)
	b := startBackend(t, addr)
	p := openTab(t, browser, b.url)
	p.until(`document.querySelector("#groups tbody tr") && document.getElementById("listen-at").options.length === 2`)
	p.typeInto("#listen-group", "room"+kb.Enter)
	p.text("#listen-state", "Listening")
	want := eval[[]string](p, `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, " +
		"[tabindex='0']")]
		.filter((e) => !e.disabled && e.checkVisibility()).map((e) => e.id || e.getAttribute("href") || e.getAttribute("aria-labelledby") || e.outerHTML.slice(0, 80))`)
	eval[bool](p, `document.activeElement.blur() ?? true`)
	p.do(chromedp.Reload())
	p.until(`document.querySelector("#groups tbody tr") && document.getElementById("listen-at").options.length === 2`)
	p.do(chromedp.Focus("#listen-group"), chromedp.KeyEvent("room"+kb.Enter))
	p.text("#listen-state", "Listening")
	eval[bool](p, `{document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute("tabindex"); true}`)
	var got []string
	for range len(want) + 3 {
		p.press(kb.Tab)
		id := eval[string](p,
			`{const e = document.activeElement; e === document.body ? "" : e.id || e.getAttribute("href") ||
				e.getAttribute("aria-labelledby") || e.outerHTML.slice(0, 80)}`)
		if id == "" {
			break
		}
		if !eval[bool](p, `{const s = getComputedStyle(document.activeElement); s.outlineStyle !== "none" &&
			parseFloat(s.outlineWidth) >= 2}`) {
			t.Errorf("%s does not show that it has the focus", id)
		}
		got = append(got, id)
		if len(got) == len(want) {
			break
		}
	}
	if len(want) < 16 || !slices.Equal(got, want) {
		t.Errorf("Tab reaches\n%q, want\n%q", got, want)
	}
	for _, id := range []string{
		"theme", "publish-group", "publish-message", "listen-toggle", "log", "say-message",
		"say-button", "log-aloud", "log-clear",
	} {
		if !slices.Contains(got, id) {
			t.Errorf("Tab does not reach %s", id)
		}
	}

	// The links past the rest, and the keys that press buttons.
	eval[bool](p, `document.querySelector(".skip[href='#try']").focus() ?? true`)
	p.press(kb.Enter)
	p.press(kb.Tab)
	p.until(`document.activeElement.id === "publish-group"`)
	eval[bool](p, `document.getElementById("listen-toggle").focus() ?? true`)
	p.press(" ")
	p.text("#listen-state", "Not connected.")
}

func testNamesOfControls(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	b.change(func(b *backend) { b.token = "secret" })
	p := openTab(t, browser, b.url, "/v1/")
	p.until(`!document.getElementById("token-form").hidden`)
	check := func(least int) {
		t.Helper()
		if unnamed, named := p.unnamed(); len(unnamed) > 0 || named < least {
			t.Errorf("%d have names, %q have none", named, unnamed)
		}
	}
	check(4)
	p.typeInto("#token", "secret"+kb.Enter)
	p.text("#groups", "lobby")
	eval[bool](p, `{const at = document.getElementById("listen-at"); at.value = "other";
		at.dispatchEvent(new Event("change")); true}`)
	check(20)
	for what, selector := range map[string]string{
		"banner": "body > header", "main": "main",
		"contentinfo": "body > footer", "heading": "h1",
	} {
		if n := eval[int](p, fmt.Sprintf("document.querySelectorAll(%s).length", quoted(selector))); n != 1 {
			t.Errorf("%d of %s", n, what)
		}
	}
	if missing := eval[[]string](p, `[...document.querySelectorAll("[aria-labelledby], [aria-describedby], label[for]")]
		.flatMap((e) => [e.getAttribute("aria-labelledby"), e.getAttribute("aria-describedby"), e.getAttribute("for")])
		.filter((ids) => ids).flatMap((ids) => ids.split(" ")).filter((id) => !document.getElementById(id))`); len(missing) > 0 {
		t.Errorf("names by elements that are not there: %q", missing)
	}
}

// contrasts lists the texts whose contrast to what is behind them is under WCAG
// AA's 4.5:1. Colours are read back from a canvas, which knows all notations.
const contrasts = `{
	const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const paint = (colours) => {
		canvas.clearRect(0, 0, 1, 1);
		for (const c of colours) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); }
		return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
	};
	const luminance = (rgb) => rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const bad = [];
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let seen = 0;
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.textContent.trim() || !e.checkVisibility() || e.closest(":disabled, noscript, " +
			"option")) continue;
		const behind = [];
		for (let a = e; a; a = a.parentElement) behind.unshift(getComputedStyle(a).backgroundColor);
		const style = getComputedStyle(e);
		const colour = e instanceof SVGElement ? style.fill : style.color;
		const [a, b] = [luminance(paint(behind)), luminance(paint([...behind, colour]))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		seen++;
		if (ratio < 4.5) bad.push(ratio.toFixed(2) + ": " + walk.currentNode.textContent.trim().slice(0, 40));
	}
	seen < 50 ? ["only " + seen + " texts"] : bad
}`

func testContrast(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	b.change(func(b *backend) {
		b.status.State = monitor.StateDraining
		b.status.Reactors[1].State = monitor.StateStalled
	})
	p := openTab(t, browser, b.url, "/v1/")
	for _, theme := range []string{"light", "dark"} {
		for _, state := range []string{monitor.StateOK, monitor.StateDraining, monitor.StateStalled} {
			b.change(func(b *backend) { b.status.State = state })
			p.colours(theme)
			p.text("#state", state)
			p.until(`document.querySelector("#chart-latency .line")`)
			if bad := eval[[]string](p, contrasts); len(bad) > 0 {
				t.Errorf("%s, %s: %q", theme, state, bad)
			}
		}
		b.change(func(b *backend) { b.gone = true })
		p.text("#state", "unreachable")
		if bad := eval[[]string](p, contrasts); len(bad) > 0 {
			t.Errorf("%s, unreachable: %q", theme, bad)
		}
		b.change(func(b *backend) { b.gone = false })
	}
}

func testTheme(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	p := openTab(t, browser, b.url)
	dark := func(want bool) {
		t.Helper()
		p.until(fmt.Sprintf(`(getComputedStyle(document.body).backgroundColor === "rgb(17, 21, 23)") === %t`, want))
	}
	choose := func(theme string) {
		t.Helper()
		eval[bool](p, fmt.Sprintf(`{const s = document.getElementById("theme"); s.value = %s;
			s.dispatchEvent(new Event("change")); true}`, quoted(theme)))
	}
	p.text("#state", "ok")
	p.colours("dark")
	dark(true)
	choose("light")
	dark(false)
	p.do(chromedp.Reload())
	p.text("#state", "ok")
	dark(false)
	choose("auto")
	dark(true)
	p.colours("light")
	dark(false)
	choose("dark")
	dark(true)
}

func testNarrow(s scene) {
	t, browser := s.t, s.browser
	b := startBackend(t, "0.0.0.0:1234")
	p := openTab(t, browser, b.url)
	p.text("#groups", "lobby")
	for _, width := range []int64{320, 390, 768, 1024, 1920} {
		p.do(chromedp.EmulateViewport(width, 800))
		p.until(fmt.Sprintf("innerWidth === %d", width))
		if wide := eval[int](p, `document.documentElement.scrollWidth`); int64(wide) > width {
			t.Errorf("%d wide in a window of %d: %q", wide, width, eval[[]string](p, `[...document.querySelectorAll("main *")]
				.filter((e) => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll")).map((e) => e.outerHTML.slice(0, 60))`))
		}
	}
	for _, state := range states {
		if state.name != "load" && state.name != "stalled-loop" {
			continue
		}
		p := openState(t, s, state.make, state.word)
		p.do(chromedp.EmulateViewport(390, 844))
		p.until("innerWidth === 390")
		p.until(`getComputedStyle(document.querySelector("#loops .state")).display === "none"`)
		if over := eval[int](p, `(() => { const e = document.querySelector("#loops").closest(".scroll");
			return e.scrollWidth - e.clientWidth; })()`); over > 0 {
			t.Errorf("%s: the table of loops is %d pixels too wide for a telephone", state.name, over)
		}
	}
}

// colours makes the browser prefer a theme.
func (p *tab) colours(theme string) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	}); err != nil {
		p.t.Fatal(err)
	}
}
