package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// point is one figure of one round.
type point struct {
	Table  string  `json:"table"`
	Row    string  `json:"row"`
	Column string  `json:"column"`
	Value  float64 `json:"value"`
}

// results are what was measured, and what should not have been.
// Owner: the run.
type results struct {
	points []point
	wrong  []string
}

func (r *results) add(table, row, column string, value float64) {
	r.points = append(r.points, point{table, row, column, value})
}

func (r *results) fault(wrong ...string) {
	for _, text := range wrong {
		fmt.Fprintln(os.Stderr, "NOT HELD:", text)
	}
	r.wrong = append(r.wrong, wrong...)
}

// values are all of a figure, in the order of rounds.
func (r *results) values(table, row, column string) (all []float64) {
	for _, p := range r.points {
		if p.Table == table && p.Row == row && p.Column == column {
			all = append(all, p.Value)
		}
	}
	return all
}

// median of a figure; there is false if it was not measured.
func (r *results) median(table, row, column string) (v float64, there bool) {
	all := r.values(table, row, column)
	if len(all) == 0 {
		return 0, false
	}
	return median(all), true
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// write writes all points, a line each.
func (r *results) write(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	e := json.NewEncoder(file)
	for _, p := range r.points {
		if err := e.Encode(p); err != nil {
			return err
		}
	}
	return nil
}

func readPoints(from io.Reader) (*results, error) {
	r := &results{}
	for d := json.NewDecoder(from); d.More(); {
		var p point
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		r.points = append(r.points, p)
	}
	return r, nil
}

// markdown is a table for each name, in the order in which they came: medians, and from the smallest to the largest.
func (r *results) markdown() string {
	var b strings.Builder
	for _, table := range r.distinct(func(p point) (string, bool) { return p.Table, true }) {
		columns := r.distinct(func(p point) (string, bool) { return p.Column, p.Table == table })
		fmt.Fprintf(&b, "**%s**\n\n| | %s |\n|---|%s\n", table, strings.Join(columns, " | "),
			strings.Repeat("---|", len(columns)))
		for _, row := range r.distinct(func(p point) (string, bool) { return p.Row, p.Table == table }) {
			fmt.Fprintf(&b, "| %s |", row)
			for _, column := range columns {
				fmt.Fprintf(&b, " %s |", cell(r.values(table, row, column)))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	for _, wrong := range r.wrong {
		fmt.Fprintf(&b, "NOT HELD: %s\n", wrong)
	}
	return b.String()
}

func (r *results) distinct(of func(point) (string, bool)) (names []string) {
	for _, p := range r.points {
		if name, ok := of(p); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func cell(all []float64) string {
	if len(all) == 0 {
		return ""
	}
	low, high := slices.Min(all), slices.Max(all)
	if number(low) == number(high) {
		return number(high)
	}
	return fmt.Sprintf("%s (%s to %s)", number(median(all)), number(low), number(high))
}

// number has three digits, and commas between thousands.
func number(v float64) string {
	negative := ""
	if v < 0 {
		negative, v = "-", -v
	}
	switch {
	case v >= 99.95 || v == float64(int(v)):
		digits := fmt.Sprintf("%.0f", v)
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		return negative + digits
	case v >= 9.995:
		return negative + fmt.Sprintf("%.1f", v)
	}
	return negative + fmt.Sprintf("%.2f", v)
}
