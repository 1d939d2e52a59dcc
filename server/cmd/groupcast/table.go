package main

import (
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// colour is that of a text on a terminal.
type colour int

const (
	plain colour = iota
	bold
	green
	yellow
	red
)

var escapes = [...]string{bold: "\x1b[1m", green: "\x1b[32m", yellow: "\x1b[33m", red: "\x1b[31m"}

// paper is what is written on: how wide, and whether in colour. The zero value is
// a file: as wide as it takes, and plain.
type paper struct {
	width  int // columns; 0: any number
	colour bool
}

// paint is text in a colour.
func (p paper) paint(c colour, text string) string {
	if !p.colour || c == plain || text == "" {
		return text
	}
	return escapes[c] + text + "\x1b[0m"
}

// column is one of a table.
type column struct {
	title string
	right bool
	// rank is when it is left out where there is no room: the highest first; 0 never.
	rank int
	// least is how narrow it may be made after that, with its texts cut; 0: not at all.
	least int
}

// cell is a text in a table. It is printable already.
type cell struct {
	text   string
	colour colour
}

// gap is what stands between two columns.
const gap = "  "

// layout is how wide each column is; -1 means that it is left out.
type layout []int

// arrange finds a layout for rows, which fits the paper if anything does.
// before is one that is not to be fallen short of, or nil.
func (p paper) arrange(columns []column, rows [][]cell, before layout) layout {
	widths := make(layout, len(columns))
	for i, c := range columns {
		widths[i] = runewidth.StringWidth(c.title)
		if before != nil {
			widths[i] = before[i]
		}
		for _, row := range rows {
			widths[i] = max(widths[i], runewidth.StringWidth(row[i].text))
		}
	}
	if p.width == 0 {
		return widths
	}
	for widths.total() > p.width {
		if drop := last(columns, widths); drop >= 0 {
			widths[drop] = -1
			continue
		}
		// Nothing is left to be left out: cut what can be cut, the widest first.
		cut := -1
		for i, c := range columns {
			if c.least > 0 && widths[i] > c.least && (cut < 0 || widths[i] > widths[cut]) {
				cut = i
			}
		}
		if cut < 0 {
			break // lines are cut
		}
		widths[cut] = max(columns[cut].least, widths[cut]-(widths.total()-p.width))
	}
	return widths
}

// last is the column that goes next, or -1.
func last(columns []column, widths layout) int {
	drop := -1
	for i, c := range columns {
		if widths[i] >= 0 && c.rank > 0 && (drop < 0 || c.rank > columns[drop].rank) {
			drop = i
		}
	}
	return drop
}

// total is the width of a line.
func (l layout) total() int {
	sum, n := 0, 0
	for _, width := range l {
		if width >= 0 {
			sum, n = sum+width, n+1
		}
	}
	return sum + max(n-1, 0)*len(gap)
}

// writeHead writes the titles.
func (p paper) writeHead(b *strings.Builder, columns []column, widths layout) {
	titles := make([]cell, len(columns))
	for i, c := range columns {
		titles[i] = cell{c.title, bold}
	}
	p.writeRow(b, columns, widths, titles)
}

// writeRow writes one row, with nothing behind its last text.
func (p paper) writeRow(b *strings.Builder, columns []column, widths layout, row []cell) {
	var line []cell // texts and the blanks between them
	for i, c := range columns {
		if widths[i] < 0 {
			continue
		}
		if len(line) > 0 {
			line = append(line, cell{gap, plain})
		}
		text := row[i]
		if p.width > 0 {
			text.text = shorten(text.text, widths[i])
		}
		blanks := cell{strings.Repeat(" ", max(widths[i]-runewidth.StringWidth(text.text), 0)), plain}
		if c.right {
			line = append(line, blanks, text)
		} else {
			line = append(line, text, blanks)
		}
	}
	p.writeLine(b, line)
}

// writeLine writes texts one behind the other, cut at the paper's edge.
func (p paper) writeLine(b *strings.Builder, line []cell) {
	for len(line) > 0 && strings.TrimSpace(line[len(line)-1].text) == "" {
		line = line[:len(line)-1]
	}
	if len(line) > 0 {
		last := &line[len(line)-1]
		last.text = strings.TrimRight(last.text, " ")
	}
	left := p.width
	for _, part := range line {
		if p.width > 0 {
			if left == 0 {
				break
			}
			part.text = shorten(part.text, left)
			left -= runewidth.StringWidth(part.text)
		}
		b.WriteString(p.paint(part.colour, part.text))
	}
	b.WriteByte('\n')
}

// shorten cuts s to a width; a ~ at its end says so. It is ASCII since what else
// is usual there is two columns wide on some terminals.
func shorten(s string, width int) string {
	if runewidth.StringWidth(s) <= width {
		return s
	}
	if width <= 0 {
		return ""
	}
	return runewidth.Truncate(s, width, "~")
}

// writeFields writes what is said in "name: value" form, as many on a line as
// there is room for.
func (p paper) writeFields(b *strings.Builder, fields ...string) {
	const between = "    "
	fields = slices.DeleteFunc(fields, func(s string) bool { return s == "" })
	limit := p.lineWidth()
	line := ""
	for _, f := range fields {
		if line != "" && runewidth.StringWidth(line)+len(between)+runewidth.StringWidth(f) > limit {
			p.writeLine(b, []cell{{line, plain}})
			line = ""
		}
		if line != "" {
			line += between
		}
		line += f
	}
	p.writeLine(b, []cell{{line, plain}})
}

// usualWidth is that of the banner, which fits a terminal as they used to be.
const usualWidth = 78

// lineWidth is how long lines are that could have any length.
func (p paper) lineWidth() int {
	if p.width > 0 && p.width < usualWidth {
		return p.width
	}
	return usualWidth
}

// writeRule writes a line of dashes with a title in its middle.
func (p paper) writeRule(b *strings.Builder, title string, width int) {
	width = max(width, p.lineWidth())
	if p.width > 0 {
		width = min(width, p.width)
	}
	if title != "" {
		title = shorten(" "+title+" ", width)
	}
	left := (width - len(title)) / 2
	line := strings.Repeat("-", left) + title + strings.Repeat("-", width-len(title)-left)
	p.writeLine(b, []cell{{line, bold}})
}
