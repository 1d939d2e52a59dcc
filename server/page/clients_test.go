package page

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"groupcast/loop"
	"groupcast/loop/pattern"
)

// A group in the table opens: to count its members, to publish to it, to join it, to
// empty it, which is asked for first.
func testGroups(s scene) {
	t := s.t
	p, r := openReal(s)
	other := dial(t, r.ws)
	send(t, other, map[string]any{"cmd": "add_group", "group_id": "lobby"})
	p.click("#groups tbody button")
	p.text("#group-name", "lobby")
	p.text("#group-members", "1 member (loop ")
	member, _, err := r.engine.Members(t.Context(), "lobby", loop.SessionID{}, 10)
	if err != nil || len(member) != 1 {
		t.Fatal(member, err)
	}
	p.text("#group-sessions", member[0].ID.String())
	p.text("#group-sessions", member[0].Remote)
	p.click("#group-sessions button")
	p.text("#session-name", "Session "+member[0].ID.String())
	p.click("#session-groups button")
	p.text("#group-name", "lobby")

	p.click("#group-publish")
	p.until(`!document.getElementById("group").open && document.activeElement.id === "publish-message"`)
	p.press("from the table" + kb.Enter)
	p.text("#publish-answer", "Published")

	p.click("#groups tbody button")
	p.click("#group-join")
	p.text("#listen-state", "Listening to lobby")
	members := func(n int) bool {
		info, err := r.engine.Group(t.Context(), "lobby")
		return n == 0 && err != nil || err == nil && info.Members == n
	}
	if !wait(func() bool { return members(2) }) {
		t.Error("the page is no member")
	}

	// Another name, and saying no, and saying yes.
	p.typeInto("#find-group", "lobby"+kb.Enter)
	p.text("#group-members", "2 members")
	eval[bool](p, watchRequests)
	p.click("#group-dissolve")
	p.text("#ask h2", "Make everyone leave lobby?")
	p.until(`document.activeElement.value === "no"`)
	p.press(kb.Enter)
	p.until(`!document.getElementById("ask").open && document.getElementById("group").open`)
	p.until(`window.requests.length > 2`)
	if !members(2) || eval[bool](p, `window.requests.includes("DELETE")`) {
		t.Error("they were made to leave, and that was not wanted")
	}
	p.click("#group-dissolve")
	p.click("#ask [value=yes]")
	p.text("#group-answer", "Everyone has left.")
	if !wait(func() bool { return members(0) }) {
		t.Error("there are members left")
	}
	p.text("#group-members", "No session is a member.")
	p.until(`document.getElementById("group-sessions").hidden`)

	// More members than are shown at once.
	const many = 53
	for range many {
		send(t, dial(t, r.ws), map[string]any{"cmd": "add_group", "group_id": "crowd"})
	}
	if !wait(func() bool { g, err := r.engine.Group(t.Context(), "crowd"); return err == nil && g.Members == many }) {
		t.Fatal("not all have joined")
	}
	p.click("#group-close")
	p.typeInto("#find-group", "crowd"+kb.Enter)
	p.until(`document.querySelectorAll("#group-sessions li").length === 50`)
	p.click("#group-more")
	p.until(fmt.Sprintf(`new Set([...document.querySelectorAll("#group-sessions button")].map((b) => b.textContent)).size === %d
		&& document.getElementById("group-more").hidden && document.activeElement.closest("#group-sessions li:nth-child(51)")`, many))
}

// Names of blanks and line breaks are seen, and mean themselves wherever they are
// picked; one of 256 bytes is cut and whole when it is pointed at.
func testOddNames(s scene) {
	t := s.t
	p, r := openReal(s)
	long := strings.Repeat("a long name ", 21) + "end."
	names := map[string]string{
		"   ":        "␣␣␣",
		"two\nlines": `two\u{a}lines`,
		" a  b ":     "␣a␣␣b␣",
		"a\u00a0b":   `a\u{a0}b`,
		long:         long,
	}
	for name := range names {
		c := dial(t, r.ws)
		send(t, c, map[string]any{"cmd": "add_group", "group_id": name})
	}
	p.until(fmt.Sprintf(`document.querySelectorAll("#groups tbody tr").length === %d`, len(names)))
	for name, shown := range names {
		find := fmt.Sprintf(`[...document.querySelectorAll("#groups tbody button")].find((b) => b.textContent === %s)`,
			quoted(shown))
		p.until(find)
		if title := eval[string](p, find+".title"); title != shown {
			t.Errorf("%q has the title %q", name, title)
		}
		eval[bool](p, find+".click() ?? true")
		p.text("#group-members", "1 member")
		p.click("#group-publish")
		p.until(fmt.Sprintf(`document.getElementById("publish-group").value === %s`, quoted(shown)))
		p.typeInto("#publish-message", "to it"+kb.Enter)
		p.until(`document.querySelector("#publish-answer").textContent.includes("Published") &&
			!document.querySelector("#publish button").ariaDisabled`)
		eval[bool](p, find+".click() ?? true")
		p.click("#group-join")
		p.text("#listen-state", "Listening to "+shown)
		if !wait(func() bool { info, err := r.engine.Group(t.Context(), name); return err == nil && info.Members == 2 }) {
			t.Errorf("the page did not join %q", name)
		}
		eval[bool](p, `(document.getElementById("publish-answer").textContent = "") === ""`)
	}
	if eval[bool](p, fmt.Sprintf(`{const b = [...document.querySelectorAll("#groups tbody button")].find((b) => b.title === %s);
		b.clientHeight > 30 || b.scrollWidth <= b.clientWidth}`, quoted(long))) {
		t.Error("a long name is not cut")
	}
	// Picked from the list below a field, and then changed by hand.
	set := func(text string) {
		eval[bool](p, fmt.Sprintf(`{const f = document.getElementById("find-group"); f.value = %s;
			f.dispatchEvent(new Event("input")); f.form.requestSubmit(); true}`, quoted(text)))
	}
	set(`two\u{a}lines`)
	p.text("#group-members", "(loop")
	p.click("#group-close")
	set(`two\u{a}linesx`)
	p.text("#group-members", "No session is a member.")
}

// Sessions are listed, searched, looked at and closed, after asking.
func testSessions(s scene) {
	t := s.t
	p, r := openReal(s)
	for i := range 3 {
		c := dial(t, r.ws)
		send(t, c, map[string]any{"cmd": "add_group", "group_id": fmt.Sprint("room ", i)})
	}
	sessions := func() []loop.SessionInfo {
		all, _, err := r.engine.Sessions(t.Context(), loop.SessionID{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if !wait(func() bool { return len(sessions()) == 3 }) {
		t.Fatal("not all are there")
	}
	victim := sessions()[1]
	p.typeInto("#sessions-text", kb.Enter)
	p.text("#sessions-answer", "3 sessions in all, 3 shown.")
	p.until(`document.querySelectorAll("#sessions tbody tr").length === 3`)
	p.typeInto("#sessions-text", victim.Remote+kb.Enter)
	p.text("#sessions-answer", "3 sessions in all, 1 shown.")
	p.text("#sessions tbody th", victim.ID.String())
	p.do(chromedp.Click("#sessions-behind", chromedp.NodeVisible))
	p.text("#sessions-answer", "3 sessions in all, 0 shown.")
	p.do(chromedp.Click("#sessions-behind", chromedp.NodeVisible))

	p.click("#sessions tbody th button")
	p.text("#session-facts", victim.Remote)
	p.text("#session-groups", "room ")
	eval[bool](p, watchRequests)
	p.click("#session-shut")
	p.text("#ask h2", "Close session "+victim.ID.String())
	p.press(kb.Escape)
	p.until(`!document.getElementById("ask").open`)
	p.until(`window.requests.length > 2`)
	if len(sessions()) != 3 || eval[bool](p, `window.requests.includes("DELETE")`) {
		t.Error("closed, and that was not wanted")
	}
	p.click("#session-groups button")
	p.text("#group-members", "1 member")
	p.click("#group-close")
	p.click("#sessions tbody td button")
	p.click("#ask [value=yes]")
	p.text("#sessions-answer", "is being closed")
	p.until(`document.getElementById("sessions").hidden && document.activeElement.id === "sessions-text"`)
	if !wait(func() bool {
		left, _, err := r.engine.Sessions(context.Background(), loop.SessionID{}, 10)
		for _, s := range left {
			if s.ID == victim.ID && s.State == "open" {
				return false
			}
		}
		return err == nil
	}) {
		t.Error("it is still open")
	}
}

// Who a session is, for how long and with which grants stands in the table, in its dialog and among
// the members of its group; a user is found by name, and who has shown no token is anonymous.
func testUsers(s scene) {
	t := s.t
	p, r := openReal(s)
	for range 2 {
		send(t, dial(t, r.ws), map[string]any{"cmd": "add_group", "group_id": "room:1"})
	}
	var all []loop.SessionInfo
	if !wait(func() bool {
		page, _, err := r.engine.Sessions(t.Context(), loop.SessionID{}, 10)
		all = page
		return err == nil && len(page) == 2 && page[0].GroupCount == 1 && page[1].GroupCount == 1
	}) {
		t.Fatal("not all are there")
	}
	join, err := pattern.Parse([]string{"room:*", "a", "b", "c", "d"}, "")
	if err != nil {
		t.Fatal(err)
	}
	who := &loop.Identity{
		User: "J <b>Doe</b>", Expires: time.Now().Add(150 * time.Minute).Unix(),
		Grants: &loop.Grants{Join: join, Members: join},
	}
	if err := r.engine.Identify(t.Context(), all[1].ID, who); err != nil {
		t.Fatal(err)
	}
	row := func(id loop.SessionID) string { return fmt.Sprintf("#sessions tr[data-session=%q]", id) }
	p.typeInto("#sessions-text", kb.Enter)
	p.text("#sessions-answer", "2 sessions in all, 2 shown.")
	p.text(row(all[0].ID)+" td:nth-child(3)", "anonymous")
	p.text(row(all[0].ID)+" .ends", "–")
	p.text(row(all[1].ID)+" td:nth-child(3) bdi", "J <b>Doe</b>")
	p.text(row(all[1].ID)+" .may", "joins a, b, c and 2 more; sends to nothing; lists a, b, c and 2 more")
	p.text(row(all[1].ID)+" .ends", "2 h ")
	p.do(chromedp.EmulateViewport(390, 844))
	p.until("innerWidth === 390")
	// An address and the word are broken where a reader would break them, if at all.
	p.until(fmt.Sprintf(`(() => {
		const tr = document.querySelector(%s), r = document.createRange();
		const texts = [...tr.cells[1].childNodes, ...tr.cells[2].firstChild.childNodes].filter((n) => n.nodeType === 3);
		return texts.every((n) => {
			r.selectNode(n);
			return r.getClientRects().length === 1; });
	})()`, quoted(row(all[0].ID))))
	p.do(chromedp.EmulateViewport(1280, 900))
	// The anonymous one is searched for last: its dialog is opened next.
	for i, text := range []string{"j <b>d", "Anonymous"} {
		p.typeInto("#sessions-text", text+kb.Enter)
		p.text("#sessions-answer", "2 sessions in all, 1 shown.")
		p.text("#sessions tbody th", all[1-i].ID.String())
	}
	fact := func(term, value string) {
		t.Helper()
		p.until(fmt.Sprintf(`[...document.querySelectorAll("#session-facts div")].some((d) =>
			d.firstChild.textContent === %s && d.lastChild.textContent.startsWith(%s))`, quoted(term), quoted(value)))
	}
	p.click("#sessions tbody th button")
	for _, term := range []string{"May join", "May send to"} {
		fact(term, "everything")
	}
	fact("User", "anonymous")
	fact("Token ends in", "–")
	p.click("#session-groups button")
	p.text("#group-sessions", "J <b>Doe</b>")
	p.text("#group-sessions", "anonymous")
	p.click("#group-sessions li:nth-child(2) button")
	fact("User", "J <b>Doe</b>")
	fact("Token ends in", "2 h ")
	fact("May join", "a, b, c, d, room:*")
	fact("May send to", "nothing")
	fact("May list members of", "a, b, c, d, room:*")
	eval[bool](p, `{import("./page/who.js").then((w) => { window.over = w.tokenOf({expires_at: "2026-01-01T00:00:00Z"},
		Date.parse("2026-01-01T00:00:01Z")); }); true}`)
	p.until(`window.over === "over"`)
}

// watchRequests has the page note the methods of its requests; it asks for a status once
// a second.
const watchRequests = `{window.requests = []; const f = window.fetch;
	window.fetch = (url, o) => { window.requests.push(o?.method); return f(url, o); }; true}`

// countSockets has the page count the WebSockets that it opens.
const countSockets = `{window.sockets = []; const W = WebSocket;
	window.WebSocket = class extends W { constructor(url, ...rest) { window.sockets.push(url); super(url, ...rest); } }; true}`

// Before the server has said where it listens, joining opens nothing.
func testJoiningEarly(s scene) {
	b := startBackend(s.t, "0.0.0.0:1234")
	b.change(func(b *backend) { b.held = true })
	p := openTab(s.t, s.browser, b.url, "/v1/", "ws://")
	p.text("#state", "unreachable")
	eval[bool](p, countSockets)
	p.typeInto("#listen-group", "room"+kb.Enter)
	p.text("#listen-state", "Where the server listens is not known yet")
	p.until(`document.getElementById("listen-toggle").textContent === "Join" && window.sockets.length === 0`)
	b.change(func(b *backend) { b.held = false })
	p.until(`document.getElementById("listen-at").value.endsWith(":1234")`)
	p.typeInto("#listen-group", kb.Enter)
	p.until(`window.sockets.length > 0 && window.sockets.every((u) => u.endsWith(":1234"))`)
}

// The time until the next attempt goes down, and is not read aloud second by second;
// the codes of an end have words.
func testCountdown(s scene) {
	b := startBackend(s.t, "0.0.0.0:1") // no one listens there
	p := openTab(s.t, s.browser, b.url, "ws://")
	p.until(`document.getElementById("listen-at").value.endsWith(":1")`)
	p.typeInto("#listen-group", "room"+kb.Enter)
	for _, seconds := range []int{4, 3, 2} {
		p.until(fmt.Sprintf(`document.getElementById("listen-countdown").textContent === "Next attempt in %d s."`, seconds))
	}
	if eval[bool](p, `document.getElementById("listen-countdown").closest("[role=status], [aria-live]") !== null`) {
		s.t.Error("the countdown is read aloud")
	}
	p.click("#listen-toggle")
	p.until(`document.getElementById("listen-countdown").textContent === ""`)
	words := eval[map[string]string](p,
		`import(new URL("page/closecodes.js", document.baseURI)).then((m) => Object.fromEntries([1001, 1006, 1008, 1012,
			4001, 2999].map((c) => [c, m.closeWords(c)])))`)
	for code, want := range map[string]string{
		"1001": "the server is stopping", "1006": "it broke off", "1008": "read too slowly", "1012": "restarting",
		"4001": "an application", "2999": "unknown",
	} {
		if !strings.Contains(words[code], want) || !strings.Contains(words[code], code) {
			s.t.Errorf("%s is %q", code, words[code])
		}
	}
}

// While the server wants a token there is the form and nothing else.
func testOnlyTheForm(s scene) {
	b := startBackend(s.t, "0.0.0.0:1234")
	p := openTab(s.t, s.browser, b.url, "/v1/")
	p.text("#groups", "lobby")
	p.click("#groups tbody button")
	b.change(func(b *backend) { b.token = "secret" })
	only := func() {
		p.until(`!document.getElementById("token-form").hidden && !document.querySelector("dialog[open]")`)
		p.text("#token-form", "Sign in")
		controls := eval[[]string](p,
			`[...document.querySelectorAll("button, input, select, textarea, table, svg, footer")]
				.filter((e) => e.checkVisibility()).map((e) => e.id || e.textContent)`)
		if fmt.Sprint(controls) != "[theme token Sign in]" {
			s.t.Errorf("there are %q", controls)
		}
	}
	only()
	p.do(chromedp.Reload())
	only()
	p.typeInto("#token", "secret"+kb.Enter)
	p.until(`document.querySelector("#all").checkVisibility() && document.getElementById("token-form").hidden`)
	p.click("#forget")
	only()
}

// On a telephone numbers come first, two by two, and publishing is on the second screen
// at the latest; no table is wider than the screen without showing that it scrolls.
func testTelephone(s scene) {
	t := s.t
	const width, height = 390, 844
	b := startBackend(t, "0.0.0.0:1234")
	b.change(loaded)
	b.change(func(b *backend) {
		b.status.TopGroups = b.status.TopGroups[:6]
		for len(b.status.TopGroups) < 10 {
			b.status.TopGroups = append(b.status.TopGroups, b.status.TopGroups[0])
		}
		for i := range 16 {
			b.happen("slow_readers", "", uint64(i), 0, 0)
		}
	})
	p := openTab(t, s.browser, b.url)
	p.do(chromedp.EmulateViewport(width, height))
	p.until(fmt.Sprintf(`innerWidth === %d && document.querySelectorAll(".charts .spark").length === 4`, width))
	p.text("#events", "slow reader")
	box := func(selector, side string) float64 {
		return eval[float64](p, fmt.Sprintf("document.querySelector(%s).getBoundingClientRect().%s + (%t ? scrollY : 0)",
			quoted(selector), side, side != "left"))
	}
	if a, b := box("#chart-sessions", "top"), box("#chart-deliveries", "top"); a != b ||
		box("#chart-sessions", "left") >= box("#chart-deliveries", "left") {
		t.Errorf("the first two charts are at %v and %v", a, b)
	}
	if bottom := box("#chart-backlog", "bottom"); bottom > height/2 {
		t.Errorf("the numbers end at %v of %v", bottom, height)
	}
	if bottom := box("#publish-message", "bottom"); bottom > 2*height {
		t.Errorf("publish ends at %v, with a screen of %v", bottom, height)
	}
	if n := eval[int](p, `document.querySelectorAll(".spark text").length`); n != 0 {
		t.Errorf("%d labels in sparklines", n)
	}
	if bad := eval[[]string](p,
		`[...document.querySelectorAll(".scroll")].filter((e) => e.checkVisibility() &&
			e.scrollWidth > e.clientWidth + 1 && !(e.classList.contains("scrolls") && e.tabIndex === 0)).map((e) => e.ariaLabel)`); len(bad) > 0 {
		t.Errorf("scroll and do not show it: %q", bad)
	}
	// Nothing is cut in the cards.
	if bad := eval[[]string](p,
		`[...document.querySelectorAll(".charts .hint, .charts .now")].filter((e) => e.scrollWidth > e.clientWidth + 1)
			.map((e) => e.textContent)`); len(bad) > 0 {
		t.Errorf("cut: %q", bad)
	}
}

func requireNone(t *testing.T, what string, bad []string) {
	t.Helper()
	if len(bad) > 0 {
		t.Errorf("%s: %s", what, strings.Join(bad, "\n"))
	}
}
