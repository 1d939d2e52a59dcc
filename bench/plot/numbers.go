package main

import (
	"math"
	"strconv"
)

// number writes v as people do: 13.8 M deliveries, 5.12 µs, 3.96 KiB.
func number(v float64, unit string) string {
	switch unit {
	case "1/s":
		return count(v)
	case "bytes":
		switch {
		case significant(v/(1<<20), 3) >= 1:
			return digits(v/(1<<20)) + " MiB"
		case significant(v/(1<<10), 3) >= 1:
			return digits(v/(1<<10)) + " KiB"
		}
		return digits(v) + " B"
	case "ms":
		if significant(v, 3) >= 1000 {
			return digits(v/1000) + " s"
		}
	case "ratio":
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return digits(v) + " " + unit
}

// count writes a number of things, with k and M for thousands and millions.
func count(v float64) string {
	switch r := significant(v, 3); {
	case r >= 1e6:
		return digits(v/1e6) + " M"
	case r >= 1e3:
		return digits(v/1e3) + " k"
	}
	return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
}

// digits are three that matter, two below one.
func digits(v float64) string {
	if v == 0 {
		return "0"
	}
	if r := significant(v, 3); r < 1 {
		v = significant(v, 2)
		return strconv.FormatFloat(v, 'f', max(2, 1-int(math.Floor(math.Log10(v)))), 64)
	} else if r >= 1000 {
		return thousands(math.Round(v))
	} else {
		return strconv.FormatFloat(r, 'f', 2-int(math.Floor(math.Log10(r))), 64)
	}
}

// thousands writes a whole number with commas.
func thousands(v float64) string {
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// tick writes a place on an axis without its unit, which axisUnit has.
func tick(v, high float64, unit string) string {
	switch {
	case v == 0:
		return "0"
	case unit == "1/s" && v >= 1e6:
		return short(v/1e6) + " M"
	case unit == "1/s" && v >= 1e3:
		return short(v/1e3) + " k"
	case unit == "bytes" && high >= 1<<10:
		return short(v / (1 << 10))
	}
	return short(v)
}

// axisUnit is what stands behind an axis's words.
func axisUnit(high float64, unit string) string {
	switch {
	case unit == "1/s" || unit == "ratio":
		return ""
	case unit == "bytes" && high >= 1<<10:
		return ", KiB"
	}
	return ", " + unit
}

func short(v float64) string {
	return strconv.FormatFloat(significant(v, 3), 'f', -1, 64)
}
