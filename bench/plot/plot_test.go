package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is bench/results, and root the project's README.
const (
	tree = "../results"
	root = "../../README.md"
)

func committed(t *testing.T) *results {
	t.Helper()
	all, err := readResults(filepath.Join(tree, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNumbersAsPeopleWriteThem(t *testing.T) {
	for _, c := range []struct {
		v          float64
		unit, want string
	}{
		{13805212, "1/s", "13.8 M"},
		{999_950, "1/s", "1.00 M"},
		{999_499, "1/s", "999 k"},
		{1506781, "1/s", "1.51 M"},
		{67560, "1/s", "67.6 k"},
		{999.6, "1/s", "1.00 k"},
		{950, "1/s", "950"},
		{0.068317, "µs", "0.068 µs"},
		{0.00412, "µs", "0.0041 µs"},
		{0.6460, "µs", "0.65 µs"},
		{0.9999, "µs", "1.00 µs"},
		{5.1224, "µs", "5.12 µs"},
		{9.999, "µs", "10.0 µs"},
		{99.96, "ms", "100 ms"},
		{999.9, "ms", "1.00 s"},
		{3305, "ms", "3.31 s"},
		{958.36, "bytes", "958 B"},
		{1023.9, "bytes", "1.00 KiB"},
		{4055, "bytes", "3.96 KiB"},
		{36.7 * (1 << 20), "bytes", "36.7 MiB"},
		{1.0617, "ratio", "1.06"},
		{1234.5, "MiB", "1,235 MiB"},
		{0, "µs", "0 µs"},
	} {
		if got := number(c.v, c.unit); got != c.want {
			t.Errorf("number(%v, %q) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
	if got := thousands(1234567); got != "1,234,567" {
		t.Error(got)
	}
}

func TestAxis(t *testing.T) {
	bars := func(medians ...float64) (list []bar) {
		for _, m := range medians {
			list = append(list, bar{"other", spread{m, m * 0.9, m * 1.3}})
		}
		return list
	}
	near := axisOf(bars(3, 20), "µs")
	if near.logarithmic || near.at(0) != 0 || near.at(26) > 1 {
		t.Errorf("%+v: want one that begins at 0 and has room for the whisker", near)
	}
	far := axisOf(bars(0.07, 9), "µs")
	if !far.logarithmic || far.at(0.063) <= 0 || far.at(11.7) > 1 {
		t.Errorf("%+v: want a logarithmic one with room for both whiskers", far)
	}
	if a := axisOf(bars(1, 5000), "µs"); a.at(0.9) < 0.03 {
		t.Errorf("%+v: the smallest bar has no length", a)
	}
	if axisOf(append(bars(3, 20), bar{"limit", spread{0.1, 0.1, 0.1}}), "µs").logarithmic {
		t.Error("the limit decided about the axis")
	}
	for about := 1; about < 7; about++ {
		for _, a := range []axis{near, far} {
			ticks := a.ticks("µs", about)
			if len(ticks) == 0 || len(ticks) > about+2 {
				t.Errorf("%+v: %d ticks, want about %d", a, len(ticks), about)
			}
		}
	}
}

func TestLogarithmicAxisSaysSo(t *testing.T) {
	p := serverPanels(committed(t), deliveries, "deliveries a second", false, capacityLoad)
	d, err := picture{title: "x", panels: p}.layOut()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range d.Texts {
		if strings.Contains(text.Text, "logarithmic axis") {
			return
		}
	}
	t.Error("from 68 k to 13.8 M, and no word of a logarithmic axis")
}

// TestNothingOverlaps: no text leaves the canvas, touches another, or is crossed by a whisker.
func TestNothingOverlaps(t *testing.T) {
	for _, p := range pictures(committed(t)) {
		d, err := p.layOut()
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Texts) == 0 || len(d.Bars) == 0 {
			t.Errorf("%s: empty", p.name)
		}
		for i, a := range d.Texts {
			if a.left < 0 || a.right > d.Width || a.top < 0 || a.bottom > d.Height {
				t.Errorf("%s: %q leaves the canvas: %.0f to %.0f of %.0f", p.name, a.Text, a.left, a.right, d.Width)
			}
			for _, b := range d.Texts[:i] {
				if a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom {
					t.Errorf("%s: %q lies on %q", p.name, a.Text, b.Text)
				}
			}
			for _, l := range d.Lines {
				if l.X1 < a.right && a.left < l.X2 && l.Y1 < a.bottom && a.top < l.Y2 {
					t.Errorf("%s: a whisker crosses %q", p.name, a.Text)
				}
			}
			for _, bar := range d.Bars {
				if bar.X < a.right && a.left < bar.X+bar.W && bar.Y < a.bottom && a.top < bar.Y+bar.H {
					t.Errorf("%s: a bar lies under %q", p.name, a.Text)
				}
			}
		}
		for _, bar := range d.Bars {
			if bar.X < 0 || bar.W <= 0 || bar.X+bar.W > d.Width || math.IsNaN(bar.W) {
				t.Errorf("%s: a bar from %.0f, %.1f wide", p.name, bar.X, bar.W)
			}
		}
	}
}

// TestBalanced: as few lines as without balancing, none too long, and none with far less than the others.
func TestBalanced(t *testing.T) {
	const text = "4 publishers with 128 messages of 128 bytes under way each"
	greedy, lines := styleSmall.wrap(text, 372), styleSmall.balanced(text, 372)
	if len(lines) != 2 || len(greedy) != 2 || greedy[1] != "each" {
		t.Fatalf("%q and %q: wants a text whose last word stands alone", greedy, lines)
	}
	if a, b := styleSmall.width(lines[0]), styleSmall.width(lines[1]); a > 372 || b < a/2 {
		t.Errorf("%q", lines)
	}
	if got := strings.Join(lines, " "); got != text {
		t.Errorf("%q", got)
	}
}

// TestLabelsThatLeaveNoRoom are an error, not a picture.
func TestLabelsThatLeaveNoRoom(t *testing.T) {
	rows := []row{{label: strings.Repeat("wide ", 12), bars: []bar{{"ours", spread{1, 1, 1}}}}}
	if _, err := (picture{title: "x", panels: []panel{{rows: rows, unit: "µs"}}}).layOut(); err == nil {
		t.Error("no error")
	}
}

// TestThemesAndText: each picture is well-formed, has both themes, and says in words what it shows.
func TestThemesAndText(t *testing.T) {
	all := committed(t)
	for _, p := range pictures(all) {
		svg, err := p.svg()
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", p.name, err)
			}
		}
		for _, want := range []string{"prefers-color-scheme: dark", `class="paper"`, `role="img"`, "<desc"} {
			if !bytes.Contains(svg, []byte(want)) {
				t.Errorf("%s: no %s", p.name, want)
			}
		}
		for _, name := range []string{"hot-room", "big-room", "centrifuge-own", "w32"} {
			if bytes.Contains(svg, []byte(name)) {
				t.Errorf("%s: shows %q, a name that only the generator knows", p.name, name)
			}
		}
	}
}

// TestOnlyWhatWasMeasured: a server without a figure is not in the picture, and one that is has its set-up there.
func TestOnlyWhatWasMeasured(t *testing.T) {
	all := committed(t)
	p := capacityPicture(all)
	for _, s := range all.find(capacityLoad).Servers {
		_, known := all.find(capacityCrowd).of(s.Name, perSession)
		if said := strings.Contains(p.caption, named(s.Name)); said == known {
			t.Errorf("%s: memory measured %v, said to be missing %v: %s", s.Name, known, said, p.caption)
		}
	}
	if len(p.panels) != 2 {
		t.Fatalf("%d panels, want deliveries and memory", len(p.panels))
	}
	for i, name := range []string{capacityLoad, capacityCrowd} {
		measured := 0
		for _, s := range all.find(name).Servers {
			if _, ok := s.Figures[[]string{deliveries, perSession}[i]]; ok {
				measured++
			}
		}
		if got := len(p.panels[i].rows); got != measured {
			t.Errorf("%s: %d rows, %d servers measured", name, got, measured)
		}
		for _, r := range p.panels[i].rows {
			if r.setup == "" || strings.Contains(r.setup, "{v}") {
				t.Errorf("%s: set-up %q", r.label, r.setup)
			}
		}
	}
}

// TestTreeIsDrawn: pictures and tables in the tree are what results.json says.
func TestTreeIsDrawn(t *testing.T) {
	dir := t.TempDir()
	for from, to := range map[string]string{
		filepath.Join(tree, resultsFile): resultsFile, filepath.Join(tree, "README.md"): "README.md", root: "ROOT.md",
	} {
		copyFile(t, from, filepath.Join(dir, to))
	}
	if err := run([]string{"draw", dir, filepath.Join(dir, "ROOT.md")}); err != nil {
		t.Fatal(err)
	}
	same(t, filepath.Join(dir, "README.md"), filepath.Join(tree, "README.md"))
	same(t, filepath.Join(dir, "ROOT.md"), root)
	drawn, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range drawn {
		same(t, path, filepath.Join(tree, filepath.Base(path)))
	}
	there, err := filepath.Glob(filepath.Join(tree, "*.svg"))
	if err != nil || len(there) != len(drawn) {
		t.Errorf("%d pictures in the tree, %d drawn: %v", len(there), len(drawn), err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, drawn, there string) {
	t.Helper()
	a, err := os.ReadFile(drawn)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(there)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s is not what results.json says: make pictures", there)
	}
}
