package main

import "math"

// axis maps a figure to its place, from 0 to 1.
type axis struct {
	low, high   float64
	logarithmic bool
}

// logarithmicFrom is how many times the smallest figure the largest has to be: below it a line of
// no length would not be drawn, and lengths that can be compared say more.
const logarithmicFrom = 15

// axisOf has room for all, whiskers included. The limit's bars do not decide: that one is as short as can
// be where a program does next to nothing.
func axisOf(all []bar, unit string) axis {
	smallest, largest := math.Inf(1), 0.0
	low, high := math.Inf(1), 0.0
	for _, b := range all {
		if b.kind != "limit" {
			smallest, largest = min(smallest, b.value.Median), max(largest, b.value.Median)
		}
		low, high = min(low, b.value.Min), max(high, b.value.Max)
	}
	if largest < logarithmicFrom*smallest || low <= 0 {
		return axis{high: high * 1.02}
	}
	unitOf := 1.0
	if unit == "bytes" && largest >= 1<<10 {
		unitOf = 1 << 10 // decades of KiB, not of bytes
	}
	a := axis{low: unitOf * math.Pow(10, math.Floor(math.Log10(low/unitOf))), high: high * 1.05, logarithmic: true}
	if a.at(low) < 0.04 {
		a.low /= 10
	}
	return a
}

func (a axis) at(v float64) float64 {
	if a.logarithmic {
		return (math.Log10(v) - math.Log10(a.low)) / (math.Log10(a.high) - math.Log10(a.low))
	}
	return v / a.high
}

// ticks are about so many steps: decades, or multiples of 1, 2 or 5.
func (a axis) ticks(unit string, about int) []float64 {
	var at []float64
	if a.logarithmic {
		decades := math.Log10(a.high / a.low)
		step := math.Pow(10, math.Ceil(decades/float64(about)))
		for v := a.low; v <= a.high; v *= step {
			at = append(at, v)
		}
		return at
	}
	unitOf := 1.0
	if unit == "bytes" && a.high >= 1<<10 {
		unitOf = 1 << 10
	}
	least := a.high / unitOf / float64(about)
	step := math.Pow(10, math.Ceil(math.Log10(least)))
	for _, finer := range []float64{5, 2} {
		if step/finer >= least {
			step /= finer
			break
		}
	}
	for i := 0; float64(i)*step*unitOf <= a.high; i++ {
		at = append(at, float64(i)*step*unitOf)
	}
	return at
}
