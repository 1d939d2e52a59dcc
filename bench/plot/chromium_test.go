package main

import (
	"context"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// measureBoxes runs in the page: the place of each text as it is really drawn.
const measureBoxes = `<script>
const box = e => { const b = e.getBBox(); return {text: e.textContent, x: b.x, y: b.y, w: b.width, h: b.height} };
const pre = document.createElement('pre');
pre.id = 'boxes';
pre.textContent = JSON.stringify([...document.querySelectorAll('svg')].map(svg => ({
  width: svg.viewBox.baseVal.width, height: svg.viewBox.baseVal.height,
  texts: [...svg.querySelectorAll('text')].map(box), lines: [...svg.querySelectorAll('.whisker')].map(box),
})));
document.body.append(pre);
</script>`

type box struct {
	Text       string
	X, Y, W, H float64
}

// overlaps leaves out what a font reserves above and below its letters.
func (b box) overlaps(o box) bool {
	const air = 0.2
	return b.X < o.X+o.W && o.X < b.X+b.W && b.Y+air*b.H < o.Y+(1-air)*o.H && o.Y+air*o.H < b.Y+(1-air)*b.H
}

// TestInChromium: with the fonts that this machine has, no text leaves the canvas or touches another, and no
// whisker crosses one.
func TestInChromium(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no Chromium: make test-deps installs it")
		}
		t.Skip("no Chromium: make test-deps installs it, or says how")
	}
	var page strings.Builder
	page.WriteString("<!doctype html><meta charset=utf-8><body>\n")
	list := pictures(committed(t))
	for _, p := range list {
		svg, err := p.svg()
		if err != nil {
			t.Fatal(err)
		}
		page.Write(svg)
	}
	page.WriteString(measureBoxes)
	file := filepath.Join(t.TempDir(), "pictures.html")
	if err := os.WriteFile(file, []byte(page.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu",
		"--user-data-dir="+t.TempDir(), "--dump-dom", "file://"+file)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	_, text, found := strings.Cut(string(out), `<pre id="boxes">`)
	text, _, closed := strings.Cut(text, "</pre>")
	if !found || !closed {
		t.Fatalf("chromium has measured nothing: %.300s", out)
	}
	var drawn []struct {
		Width, Height float64
		Texts, Lines  []box
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(text)), &drawn); err != nil {
		t.Fatal(err)
	}
	if len(drawn) != len(list) {
		t.Fatalf("%d pictures drawn, want %d", len(drawn), len(list))
	}
	for i, d := range drawn {
		name := list[i].name
		if len(d.Texts) == 0 || len(d.Lines) == 0 {
			t.Errorf("%s: nothing in it", name)
		}
		for j, a := range d.Texts {
			if a.W <= 0 || a.X < 0 || a.Y < 0 || a.X+a.W > d.Width || a.Y+a.H > d.Height {
				t.Errorf("%s: %q leaves the canvas: %+v", name, a.Text, a)
			}
			for _, b := range d.Texts[:j] {
				if a.overlaps(b) {
					t.Errorf("%s: %q lies on %q", name, a.Text, b.Text)
				}
			}
			for _, l := range d.Lines {
				if a.overlaps(l) {
					t.Errorf("%s: a whisker crosses %q", name, a.Text)
				}
			}
			if s := styleOf(t, list[i], j); s.width(a.Text) < a.W {
				t.Errorf("%s: %q is %.1f wide, and was taken for %.1f: wider is too small", name, a.Text, a.W, s.width(a.Text))
			}
		}
	}
}

// styleOf is that of a picture's text number i.
func styleOf(t *testing.T, p picture, i int) style {
	t.Helper()
	d, err := p.layOut()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range styles {
		if s.class == d.Texts[i].Class {
			return s
		}
	}
	t.Fatalf("no style %q", d.Texts[i].Class)
	return style{}
}
