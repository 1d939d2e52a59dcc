package main

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ours is the server that the pictures are about.
const ours = "groupcast"

const (
	width  = 18 * vg.Centimeter
	height = 9 * vg.Centimeter
)

var (
	blue = color.RGBA{R: 0x1f, G: 0x6f, B: 0xb4, A: 0xff}
	grey = color.RGBA{R: 0x9a, G: 0xa0, B: 0xa6, A: 0xff}
)

// bar is one column with its whiskers.
type bar struct {
	label  string
	value  spread
	colour color.Color
}

// drawColumns draws bars with whiskers and each one's median in figures.
func drawColumns(p *plot.Plot, bars []bar) error {
	names := make([]string, len(bars))
	tops := plotter.XYLabels{}
	highest := 0.0
	for i, b := range bars {
		names[i] = b.label
		column, err := plotter.NewBarChart(plotter.Values{b.value.Median}, 28)
		if err != nil {
			return err
		}
		column.XMin = float64(i)
		column.Color = b.colour
		column.LineStyle.Width = 0
		whiskers, err := plotter.NewYErrorBars(struct {
			plotter.XYs
			plotter.YErrors
		}{
			plotter.XYs{{X: float64(i), Y: b.value.Median}},
			plotter.YErrors{{Low: b.value.Median - b.value.Min, High: b.value.Max - b.value.Median}},
		})
		if err != nil {
			return err
		}
		p.Add(column, whiskers)
		highest = max(highest, b.value.Max)
		tops.XYs = append(tops.XYs, plotter.XY{X: float64(i) + 0.06, Y: b.value.Median})
		tops.Labels = append(tops.Labels, figure(b.value.Median))
	}
	labels, err := plotter.NewLabels(tops)
	if err != nil {
		return err
	}
	labels.Offset.Y = 3
	p.Add(labels)
	p.NominalX(names...)
	p.Y.Min = 0
	p.Y.Max = highest * 1.1
	p.X.Min, p.X.Max = -0.6, float64(len(bars))-0.4
	return nil
}

// drawRatios: our CPU, or memory where that is the scenario, against the reference.
func drawRatios(out string, list []*comparison) error {
	p := plot.New()
	p.Title.Text = "groupcast against a C program that only copies bytes (1.0; less is better)"
	p.Y.Label.Text = "ratio of CPU within a round"
	var bars []bar
	for _, c := range list {
		for _, metric := range []string{"CPU per delivery", "CPU per connection"} {
			if s, ok := c.find(metric, ours); ok {
				bars = append(bars, bar{c.Name, s.Ratio, blue})
				break
			}
		}
	}
	if len(bars) == 0 {
		return fmt.Errorf("%s: nothing to draw", out)
	}
	if err := drawColumns(p, bars); err != nil {
		return err
	}
	one, err := plotter.NewLine(plotter.XYs{{X: -0.6, Y: 1}, {X: float64(len(bars)) - 0.4, Y: 1}})
	if err != nil {
		return err
	}
	one.Dashes = []vg.Length{3, 3}
	p.Add(one)
	return p.Save(width, height, out)
}

// drawBars: one figure of all servers of a comparison.
func drawBars(out, metric string, c *comparison) error {
	p := plot.New()
	p.Title.Text = c.Description
	var bars []bar
	for _, server := range c.Candidates {
		s, ok := c.find(metric, server.Name)
		if !ok {
			continue
		}
		p.Y.Label.Text = metric + " (" + s.Unit + ")"
		colour := color.Color(grey)
		if server.Name == ours {
			colour = blue
		}
		bars = append(bars, bar{server.Name, s.Value, colour})
	}
	if len(bars) == 0 {
		return fmt.Errorf("%s: no %s in the file", out, metric)
	}
	if err := drawColumns(p, bars); err != nil {
		return err
	}
	return p.Save(width, height, out)
}

// drawLatency: percentiles, on an axis where each further nine has the same room.
func drawLatency(out string, c *comparison) error {
	p := plot.New()
	p.Title.Text = c.Description
	p.X.Label.Text = "percentile"
	p.Y.Label.Text = "publish to receive (ms)"
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	at := []struct {
		name string
		of   func(*result) float64
	}{
		{"50", func(r *result) float64 { return r.Latency.P50 }},
		{"90", func(r *result) float64 { return r.Latency.P90 }},
		{"99", func(r *result) float64 { return r.Latency.P99 }},
		{"99.9", func(r *result) float64 { return r.Latency.P999 }},
		{"max", func(r *result) float64 { return r.Latency.Max }},
	}
	var names []string
	for _, a := range at {
		names = append(names, a.name)
	}
	p.NominalX(names...)
	var lines []any
	for i, server := range c.Candidates {
		var points plotter.XYs
		for x, a := range at {
			if v, ok := c.median(i, a.of); ok && v > 0 {
				points = append(points, plotter.XY{X: float64(x), Y: v / 1000})
			}
		}
		lines = append(lines, server.Name, points)
	}
	if err := plotutil.AddLinePoints(p, lines...); err != nil {
		return err
	}
	p.Legend.Top, p.Legend.Left = true, true
	return p.Save(width, height, out)
}

// drawAgainst: a figure against a number that at finds, of connections say, a line a server.
func drawAgainst(out, metric, what string, list []*comparison, at func(c *comparison, candidate int) (float64, bool)) error {
	p := plot.New()
	p.X.Label.Text = what
	p.Y.Min = 0
	lines := map[string]plotter.XYs{}
	for _, c := range list {
		for i, server := range c.Candidates {
			s, ok := c.find(metric, server.Name)
			n, counted := at(c, i)
			if ok && counted {
				p.Y.Label.Text = metric + " (" + s.Unit + ")"
				lines[server.Name] = append(lines[server.Name], plotter.XY{X: n, Y: s.Value.Median})
			}
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("%s: no %s in the files", out, metric)
	}
	highest := 0.0
	for i, server := range list[0].Candidates {
		line, points, err := plotter.NewLinePoints(lines[server.Name])
		if err != nil {
			return err
		}
		line.Color = plotutil.Color(i)
		points.Color = plotutil.Color(i)
		points.Shape = draw.CircleGlyph{}
		p.Add(line, points)
		p.Legend.Add(server.Name, line, points)
		for _, xy := range lines[server.Name] {
			highest = max(highest, xy.Y)
		}
	}
	p.Y.Max = highest * 1.15
	p.X.Min = 0
	p.Title.Text = metric + " against " + what
	p.Legend.Top = true
	return p.Save(width, height, out)
}

// figure has three significant digits.
func figure(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
