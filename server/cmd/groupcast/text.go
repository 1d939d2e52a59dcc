package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// printable is s with everything escaped that a terminal would obey, or that
// would make one text look like another: control characters, direction marks,
// line separators, spaces that are none. Names of groups come from clients, and
// the operator who looks at them must not be what they aim at.
func printable(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		i += size
	}
	return b.String()
}

// jsonLine is a JSON value on one line, with the same escaped in its strings that
// printable escapes: it may be looked at on a terminal, too.
func jsonLine(value json.RawMessage) string {
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		return printable(string(value)) + "\n" // nobody has sent that
	}
	var b strings.Builder
	for _, r := range compact.String() {
		switch {
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// thousands writes 19488 as 19,488.
func thousands[N ~int | ~uint64](n N) string {
	digits := fmt.Sprint(n)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// rate writes what happens in a second: 1,234, or 0.4 where it is little.
func rate(perSecond float64) string {
	if perSecond > 0 && perSecond < 9.95 {
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	}
	return thousands(uint64(perSecond + 0.5))
}

// size writes bytes as 512 B, 1.5 KiB, 2.0 GiB.
func size[N ~int | ~int64 | ~uint64](bytes N) string {
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, units := float64(bytes), "KMGTPE"
	for value /= 1024; value >= 1023.95 && len(units) > 1; value /= 1024 {
		units = units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", value, units[0])
}

// span writes a time by its two largest units: 3d4h, 12m5s, 7s.
func span(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	units := []struct {
		name string
		long time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		if d < u.long {
			continue
		}
		text := fmt.Sprintf("%d%s", d/u.long, u.name)
		if i+1 < len(units) {
			text += fmt.Sprintf("%d%s", d%u.long/units[i+1].long, units[i+1].name)
		}
		return text
	}
	return "0s"
}

// seconds is a number of them as a time.
func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// latency writes a time that is short: 48 us, 1.3 ms, 2.1 s; - if there was nothing to measure.
func latency(s float64) string {
	switch {
	case s <= 0:
		return "-"
	case s < 0.001:
		return fmt.Sprintf("%.0f us", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.1f ms", s*1e3)
	}
	return fmt.Sprintf("%.1f s", s)
}

// percent writes a share.
func percent(share float64) string { return fmt.Sprintf("%.0f%%", share*100) }
