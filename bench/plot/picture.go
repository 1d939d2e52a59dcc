package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html"
	"math"
	"text/template"
)

// picture is one SVG: panels below each other, or beside each other where it is wide.
type picture struct {
	name    string // of the file, without its ending
	title   string
	alt     string // for those who do not see it
	panels  []panel
	caption string
	wide    bool
}

// panel is one question: rows of bars on one axis.
type panel struct {
	title, note string
	unit        string
	what        string  // the axis, in words
	mark        float64 // where a line stands for the reference, if anywhere
	legend      bool    // says which bar is whose
	rows        []row
}

// row is a server or a scenario.
type row struct {
	label, setup string
	ours         bool
	bars         []bar
}

type bar struct {
	kind  string // ours, other, limit
	value spread
}

// Sizes, in the picture's own units: a column is as wide as a phone's screen, nearly, so that its text is read there.
const (
	columnWidth = 400.0
	margin      = 14.0
	scale       = 1.2 // of the size that it asks for where there is room
	barHeight   = 13.0
	numberGap   = 12.0
	labelGap    = 10.0
)

type placedText struct {
	X, Y                float64
	Class, Text, Anchor string
	// By the measured width.
	left, right, top, bottom float64
}

type placedRect struct {
	X, Y, W, H float64
	Class      string
}

type placedLine struct {
	X1, Y1, X2, Y2 float64
	Class          string
}

// drawing is what the template makes an SVG of.
type drawing struct {
	Title, Alt         string
	Width, Height      float64
	ShownW, ShownH     int
	Styles             []styleRule
	Texts              []placedText
	Bars               []placedRect
	Grid, Marks, Lines []placedLine
}

type styleRule struct {
	Class  string
	Size   float64
	Weight int
}

//go:embed picture.svg.tmpl
var svgText string

var svgTemplate = template.Must(template.New("svg").Funcs(template.FuncMap{
	"x": html.EscapeString,
	"n": func(v float64) string { return fmt.Sprint(math.Round(v*10) / 10) },
}).Parse(svgText))

func (p picture) svg() ([]byte, error) {
	d, err := p.layOut()
	if err != nil {
		return nil, fmt.Errorf("%s.svg: %w", p.name, err)
	}
	var b bytes.Buffer
	err = svgTemplate.Execute(&b, d)
	return b.Bytes(), err
}

// layOut gives everything its place.
func (p picture) layOut() (*drawing, error) {
	if len(p.panels) == 0 {
		return nil, fmt.Errorf("nothing was measured that it shows")
	}
	d := &drawing{Title: p.title, Alt: p.alt, Width: columnWidth}
	if p.wide {
		d.Width = float64(len(p.panels)) * columnWidth
	}
	for _, s := range []style{styleTitle, stylePanel, styleLabel, styleNumber, styleSmall} {
		weight := 400
		if s.bold {
			weight = 600
		}
		d.Styles = append(d.Styles, styleRule{s.class, s.size, weight})
	}
	room := d.Width - 2*margin
	y := d.paragraph(margin, margin+2, room, styleTitle, p.title)
	bottom := y
	for i, panel := range p.panels {
		x := margin
		top := y + 12
		if p.wide {
			x += float64(i) * columnWidth
		} else {
			top = bottom + 12
		}
		end, err := d.panel(x, top, columnWidth-2*margin, panel)
		if err != nil {
			return nil, err
		}
		bottom = max(bottom, end)
	}
	bottom = d.lines(margin, bottom+14, styleSmall, styleSmall.wrap(p.caption, room))
	d.Height = math.Ceil(bottom + margin)
	shown := scale
	if p.wide {
		shown = 1.1
	}
	d.ShownW, d.ShownH = int(d.Width*shown), int(d.Height*shown)
	return d, nil
}

// paragraph writes a title or a note from top on, and returns where it ends.
func (d *drawing) paragraph(x, top, room float64, s style, text string) float64 {
	return d.lines(x, top, s, s.balanced(text, room))
}

func (d *drawing) lines(x, top float64, s style, lines []string) float64 {
	for _, line := range lines {
		d.text(x, top+s.size, s, "start", line)
		top += math.Round(s.size * 1.35)
	}
	return top
}

// text puts a line's baseline at y.
func (d *drawing) text(x, y float64, s style, anchor, text string) {
	w := s.width(text)
	t := placedText{X: x, Y: y, Class: s.class, Anchor: anchor, Text: text}
	switch anchor {
	case "end":
		t.left = x - w
	case "middle":
		t.left = x - w/2
	default:
		t.left = x
	}
	t.right, t.top, t.bottom = t.left+w, y-s.size*0.8, y+s.size*0.25
	d.Texts = append(d.Texts, t)
}

// panel draws one, and returns where it ends. Labels, bars and numbers have a column each, so that
// nothing crosses a number, whatever the scatter.
func (d *drawing) panel(x, y, room float64, p panel) (float64, error) {
	y = d.paragraph(x, y, room, stylePanel, p.title)
	if p.note != "" {
		y = d.paragraph(x, y+1, room, styleSmall, p.note)
	}
	if p.legend {
		y = d.legend(x, y+6)
	}
	y += 8
	var all []bar
	labels, numbers := 0.0, 0.0
	for _, r := range p.rows {
		labels = max(labels, labelStyle(r).width(r.label), styleSmall.width(r.setup))
		for _, b := range r.bars {
			all = append(all, b)
			numbers = max(numbers, numberStyle(b).width(number(b.value.Median, p.unit)))
		}
	}
	left := x + labels + labelGap
	right := x + room - numbers - numberGap
	if right-left < room*0.3 {
		return 0, fmt.Errorf("panel %q: labels leave %.0f of %.0f for bars", p.title, right-left, room)
	}
	a := axisOf(all, p.unit)
	at := func(v float64) float64 { return left + (right-left)*min(max(a.at(v), 0), 1) }
	top := y
	for _, r := range p.rows {
		y = d.row(x, y, x+room, left, at, r, p.unit)
	}
	d.axis(left, x+room, top, y, a, at, p)
	return y + 38, nil
}

// legend names the two kinds of bars of a row.
func (d *drawing) legend(x, y float64) float64 {
	for _, k := range []struct{ kind, name string }{{"ours", named(ours)}, {"limit", named(limit)}} {
		d.Bars = append(d.Bars, placedRect{x, y + 1, 18, 11, k.kind})
		d.text(x+24, y+11, styleSmall, "start", k.name)
		x += 24 + styleSmall.width(k.name) + 16
	}
	return y + 16
}

// PaperW and PaperH leave room for the edge's line.
func (d *drawing) PaperW() float64 { return d.Width - 1 }

// PaperH is its height.
func (d *drawing) PaperH() float64 { return d.Height - 1 }

func labelStyle(r row) style {
	if r.ours {
		return styleOurs
	}
	return styleLabel
}

func numberStyle(b bar) style {
	if b.kind == "ours" {
		return styleBest
	}
	return styleNumber
}

func (d *drawing) row(x, y, end, left float64, at func(float64) float64, r row, unit string) float64 {
	height := 25.0
	if r.setup != "" {
		height = 36
	}
	bars := float64(len(r.bars))
	height = max(height, bars*(barHeight+4)+8)
	middle := y + height/2
	if r.setup == "" {
		d.text(x, middle+4.5, labelStyle(r), "start", r.label)
	} else {
		d.text(x, middle-2, labelStyle(r), "start", r.label)
		d.text(x, middle+12.5, styleSmall, "start", r.setup)
	}
	at0 := middle - (bars*barHeight+(bars-1)*4)/2
	for i, b := range r.bars {
		top := at0 + float64(i)*(barHeight+4)
		d.Bars = append(d.Bars, placedRect{left, top, max(at(b.value.Median)-left, 1), barHeight, b.kind})
		if b.value.Max > b.value.Min {
			from, to, mid := at(b.value.Min), at(b.value.Max), top+barHeight/2
			d.Lines = append(d.Lines,
				placedLine{from, mid, to, mid, "whisker"},
				placedLine{from, mid - 3.5, from, mid + 3.5, "whisker"},
				placedLine{to, mid - 3.5, to, mid + 3.5, "whisker"})
		}
		d.text(end, top+barHeight-2, numberStyle(b), "end", number(b.value.Median, unit))
	}
	return y + height
}

// axis draws the grid behind the rows, and what it means below them.
func (d *drawing) axis(left, end, top, bottom float64, a axis, at func(float64) float64, p panel) {
	d.Grid = append(d.Grid, placedLine{left, top, left, bottom, "base"})
	for _, v := range ticksThatFit(a, at, p.unit, end) {
		x := at(v)
		if x > left+1 {
			d.Grid = append(d.Grid, placedLine{x, top, x, bottom, "grid"})
		}
		d.text(x, bottom+15, styleSmall, "middle", tick(v, a.high, p.unit))
	}
	if p.mark > 0 {
		d.Marks = append(d.Marks, placedLine{at(p.mark), top - 2, at(p.mark), bottom + 2, "mark"})
	}
	what := p.what + axisUnit(a.high, p.unit)
	if a.logarithmic {
		what += " (logarithmic axis)"
	}
	// Below the bars, or further left where it is long.
	d.text(min(left, end-styleSmall.width(what)), bottom+31, styleSmall, "start", what)
}

// ticksThatFit are as many as can stand beside each other.
func ticksThatFit(a axis, at func(float64) float64, unit string, end float64) []float64 {
	for about := 6; ; about-- {
		ticks := a.ticks(unit, about)
		fits, last := true, math.Inf(-1)
		for _, v := range ticks {
			half := styleSmall.width(tick(v, a.high, unit)) / 2
			fits = fits && at(v)-half > last+8 && at(v)+half <= end
			last = at(v) + half
		}
		if fits || about == 1 {
			return ticks
		}
	}
}
