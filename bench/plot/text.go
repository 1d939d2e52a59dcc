package main

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// style is one of the picture's few kinds of text.
type style struct {
	class string
	size  float64
	bold  bool
}

var (
	styleTitle  = style{"title", 17, true}
	stylePanel  = style{"panel", 14, true}
	styleLabel  = style{"label", 13.5, false}
	styleOurs   = style{"label ours", 13.5, true}
	styleNumber = style{"number", 13, false}
	styleBest   = style{"number ours", 13, true}
	styleSmall  = style{"small", 12, false}
)

var styles = []style{styleTitle, stylePanel, styleLabel, styleOurs, styleNumber, styleBest, styleSmall}

// wider is how much the widest face that a reader may have (DejaVu Sans, Verdana) exceeds the
// one that is measured with here, bold and not. Chromium holds it in a test.
var wider = map[bool]float64{false: 1.18, true: 1.29}

var faces = sync.OnceValue(func() map[bool]font.Face {
	faces := map[bool]font.Face{}
	for bold, ttf := range map[bool][]byte{false: goregular.TTF, true: gobold.TTF} {
		f, err := opentype.Parse(ttf)
		if err != nil {
			panic(err) // it is part of the program
		}
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 100, DPI: 72})
		if err != nil {
			panic(err)
		}
		faces[bold] = face
	}
	return faces
})

// width is how wide a text may become.
func (s style) width(text string) float64 {
	return float64(font.MeasureString(faces()[s.bold], text)) / 64 / 100 * s.size * wider[s.bold]
}

// balanced breaks text into as few lines as fit, of about one length: no word stands alone on the last.
func (s style) balanced(text string, room float64) []string {
	lines := s.wrap(text, room)
	for room -= 4; room > 0; room -= 4 {
		narrower := s.wrap(text, room)
		if len(narrower) > len(lines) || slices.ContainsFunc(narrower, func(l string) bool { return s.width(l) > room }) {
			break
		}
		lines = narrower
	}
	return lines
}

// wrap breaks text into lines that fit.
func (s style) wrap(text string, room float64) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case s.width(line+" "+word) <= room:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
