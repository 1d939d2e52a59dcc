package main

import (
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"pgregory.net/rapid"
)

// No line is ever wider than the paper, whatever stands in the table; with room
// for all, nothing is lost.
func TestTablesFit(t *testing.T) {
	text := rapid.OneOf(rapid.StringMatching(`[a-z0-9 ]{0,20}`), rapid.Map(rapid.String(), printable))
	rapid.Check(t, func(t *rapid.T) {
		var columns []column
		for range rapid.IntRange(1, 8).Draw(t, "columns") {
			columns = append(columns, column{
				title: text.Draw(t, "title"),
				right: rapid.Bool().Draw(t, "right"),
				rank:  rapid.IntRange(0, 4).Draw(t, "rank"),
				least: rapid.IntRange(0, 5).Draw(t, "least"),
			})
		}
		var rows [][]cell
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			var row []cell
			for range columns {
				row = append(row, cell{text: text.Draw(t, "text")})
			}
			rows = append(rows, row)
		}
		p := paper{width: rapid.IntRange(0, 100).Draw(t, "width")}
		var b strings.Builder
		widths := p.arrange(columns, rows, nil)
		p.writeTable(&b, columns, widths, rows)
		p.writeRule(&b, "title", widths.total())
		p.writeFields(&b, "one: 1", "two: 2", columns[0].title)
		if lines := strings.Count(b.String(), "\n"); lines < len(rows)+3 {
			t.Fatalf("%d lines for %d rows", lines, len(rows))
		}
		for line := range strings.SplitSeq(b.String(), "\n") {
			if p.width > 0 && runewidth.StringWidth(line) > p.width {
				t.Fatalf("%d columns instead of %d: %q", runewidth.StringWidth(line), p.width, line)
			}
			if p.width == 0 && strings.TrimRight(line, " ") != line {
				t.Fatalf("blanks at the end of %q", line)
			}
		}
		if p.width == 0 {
			for _, row := range rows {
				for _, c := range row {
					if !strings.Contains(b.String(), strings.TrimRight(c.text, " ")) {
						t.Fatalf("%q is missing in\n%s", c.text, b.String())
					}
				}
			}
		}
	})
}

// What is left out goes in its order, and what may be cut is cut last.
func TestArrange(t *testing.T) {
	columns := []column{{title: "id"}, {title: "first", rank: 2}, {title: "second", rank: 1}, {title: "name", least: 4}}
	rows := [][]cell{{{text: "7"}, {text: "x"}, {text: "y"}, {text: "a long name"}}}
	for width, want := range map[int]string{
		0:  "id  first  second  name\n7   x      y       a long name\n",
		30: "id  first  second  name\n7   x      y       a long name\n",
		29: "id  second  name\n7   y       a long name\n",
		22: "id  name\n7   a long name\n",
		14: "id  name\n7   a long na~\n",
		8:  "id  name\n7   a l~\n",
		5:  "id  ~\n7   ~\n",
		1:  "~\n7\n",
	} {
		p := paper{width: width}
		var b strings.Builder
		p.writeTable(&b, columns, p.arrange(columns, rows, nil), rows)
		if b.String() != want {
			t.Errorf("%d columns: got\n%swant\n%s", width, b.String(), want)
		}
	}
}

// A character of two columns is not cut in half, nor counted as one.
func TestWideCharacters(t *testing.T) {
	columns := []column{{title: "n", right: true}, {title: "group", least: 4}, {title: "end"}}
	rows := [][]cell{
		{{text: "1"}, {text: "\u623f\u9593\u4e00\u4e8c"}, {text: "|"}},
		{{text: "2"}, {text: "room"}, {text: "|"}},
	}
	for width, want := range map[int]string{
		0:  "n  group     end\n1  \u623f\u9593\u4e00\u4e8c  |\n2  room      |\n",
		14: "n  group   end\n1  \u623f\u9593~   |\n2  room    |\n",
	} {
		p := paper{width: width}
		var b strings.Builder
		p.writeTable(&b, columns, p.arrange(columns, rows, nil), rows)
		if b.String() != want {
			t.Errorf("%d columns: got\n%swant\n%s", width, b.String(), want)
		}
	}
}

func TestPaint(t *testing.T) {
	if got := (paper{colour: true}).paint(red, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("got %q", got)
	}
	if got := (paper{}).paint(red, "x"); got != "x" {
		t.Errorf("got %q", got)
	}
}
