package page

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// axeFile is what `make axe` gets. Its version is the Makefile's.
const axeFile = "../../bin/axe-core-4.14.1.js"

// axeRun answers what axe finds, one line for each element.
const axeRun = `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.flatMap((v) =>
	v.nodes.map((n) => v.id + ": " + v.help + ": " + n.html.slice(0, 200) + " " + (n.failureSummary ?? ""))))`

// testAxe has axe-core look at every state of the page, narrow and wide.
func testAxe(s scene) {
	path, err := filepath.Abs(axeFile)
	if err != nil {
		s.t.Fatal(err)
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		s.t.Skip("no axe-core: make axe gets it, where there is npm")
	}
	look := func(t *testing.T, p *tab, what string) {
		t.Helper()
		p.forgive("TrustedHTML") // axe tries something that the page's policy stops
		if !eval[bool](p, "typeof axe === 'object'") {
			eval[bool](p, string(axe)+"\n;true")
		}
		for _, width := range []int64{1280, 390} {
			p.do(chromedp.EmulateViewport(width, 844))
			requireNone(t, what, eval[[]string](p, axeRun))
		}
	}
	for _, state := range states {
		s.t.Run(state.name, func(t *testing.T) {
			t.Parallel()
			p := openState(t, s, state.make, state.word)
			look(t, p, state.name)
			p.colours("dark")
			look(t, p, state.name+", dark")
		})
	}
	s.t.Run("at work", func(t *testing.T) {
		t.Parallel()
		p, _ := openReal(scene{t, s.browser})
		p.typeInto("#listen-group", "room"+kb.Enter)
		p.text("#listen-state", "Listening")
		p.typeInto("#say-message", "hello"+kb.Enter)
		p.text("#log", "hello")
		p.typeInto("#sessions-text", kb.Enter)
		p.until(`document.querySelector("#sessions tbody button")`)
		eval[bool](p, `(document.querySelector("details").open = true)`)
		look(t, p, "at work")
		p.click("#sessions tbody th button")
		p.until(`document.querySelector("#session-groups button")`)
		look(t, p, "a session")
		p.click("#session-shut")
		look(t, p, "asking")
		p.click("#ask [value=no]")
		p.click("#session-groups button")
		p.text("#group-members", "1 member")
		look(t, p, "a group")
	})
	// A check that finds nothing could be one that looks at nothing.
	s.t.Run("finds", func(t *testing.T) {
		t.Parallel()
		p := openState(t, s, loaded, "ok")
		p.forgive("TrustedHTML")
		eval[bool](p, string(axe)+"\n;true")
		eval[bool](p, `{const ol = document.createElement("ol"); ol.setAttribute("role", "log");
			ol.append(document.createElement("li"));
			document.querySelector("#events").before(ol); true}`)
		if bad := eval[[]string](p, axeRun); len(bad) == 0 {
			t.Error("axe finds nothing wrong with items that are in no list")
		}
	})
}

// testNamedOnce holds, without axe, what it once found: a list that is none, landmarks of one
// name, and headers without text.
func testNamedOnce(s scene) {
	p, _ := openReal(s)
	p.typeInto("#listen-group", "room"+kb.Enter)
	p.text("#listen-state", "Listening")
	p.text("#log", "Joined")
	requireNone(s.t, "items in no list", eval[[]string](p,
		`[...document.querySelectorAll("li")].filter((e) => !e.parentElement.matches("ol:not([role]), ul:not([role])"))
			.map((e) => e.outerHTML)`))
	requireNone(s.t, "landmarks of one name", eval[[]string](p, `{
		const name = (e) => e.ariaLabel ?? document.getElementById(e.getAttribute("aria-labelledby"))?.textContent ?? "";
		const all = [...document.querySelectorAll("section, [role=region], form[aria-label]")].map(name);
		all.filter((n, i) => n === "" || all.indexOf(n) !== i)}`))
	requireNone(s.t, "headers without text", eval[[]string](p,
		`[...document.querySelectorAll("th, h1, h2, h3")].filter((e) => e.checkVisibility() &&
			e.textContent.trim() === "").map((e) => e.outerHTML)`))
}
