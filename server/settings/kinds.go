package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value is where a setting's value is in Options, and how it is read and written.
type value struct {
	// read puts in what was given, unless it is wrong.
	read func(o *Options, given []string) *wrong
	// check looks at what is there.
	check func(o *Options) *wrong
	// write is what is there, as it is typed: one text, or one for each item of a list.
	write func(o *Options) []string
	copy  func(to, from *Options)
	// shown is one of what write is, without what nobody is to see of it; nil: all of it.
	shown func(text string) string

	list   bool
	bare   []string // what the flag alone means; nil: it wants a value
	hint   string   // what stands for a value in --help: N, SIZE
	bounds string   // "1 to 256", for the reference; "" where the help says it
}

// kind is how the values of one type are read, checked and written.
type kind[T any] struct {
	hint, bounds string
	parse        func(string) (T, bool)
	wants        string // of parse
	check        func(T) *wrong
	format       func(T) string
}

// one is a setting with one value.
func one[T any](at func(*Options) *T, k kind[T]) value {
	return value{
		hint: k.hint, bounds: k.bounds,
		read: func(o *Options, given []string) *wrong {
			if len(given) != 1 {
				return &wrong{"one value", fmt.Sprintf("a list of %d", len(given))}
			}
			v, ok := k.parse(given[0])
			if !ok {
				return &wrong{k.wants, strconv.Quote(given[0])}
			}
			*at(o) = v
			return nil
		},
		check: func(o *Options) *wrong { return k.check(*at(o)) },
		write: func(o *Options) []string { return []string{k.format(*at(o))} },
		copy:  func(to, from *Options) { *at(to) = *at(from) },
	}
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
)

// number is a whole number from low to high.
func number(at func(*Options) *int, low, high int) value {
	return one(at, kind[int]{
		hint: "N", bounds: bounds(low, high, group),
		parse: func(text string) (int, bool) {
			n, err := strconv.Atoi(text)
			return n, err == nil
		},
		wants:  "a whole number",
		check:  within(low, high, strconv.Itoa),
		format: strconv.Itoa,
	})
}

// powerOfTwo is one from 1 to high.
func powerOfTwo(at func(*Options) *int, high int) value {
	v := number(at, 1, high)
	v.bounds += ", a power of two"
	inRange := v.check
	v.check = func(o *Options) *wrong {
		n := *at(o)
		if w := inRange(o); w != nil || n&(n-1) == 0 {
			return w
		}
		return &wrong{"a power of two", strconv.Itoa(n)}
	}
	return v
}

// size is a number of bytes from low to high.
func size(at func(*Options) *int, low, high int) value {
	format := func(n int) string { return ByteSize(n).String() }
	return one(at, kind[int]{
		hint: "SIZE", bounds: bounds(low, high, format),
		parse: func(text string) (int, bool) {
			n, ok := parseByteSize(text)
			return int(n), ok
		},
		wants:  wantsByteSize,
		check:  within(low, high, format),
		format: format,
	})
}

// AutoMemory is the budget for memory that is the machine's choice.
const AutoMemory = math.MinInt

// budgetSize is a size from low to high, auto, or none, which is 0 as well.
func budgetSize(at func(*Options) *int, low, high int) value {
	format := func(n int) string {
		switch n {
		case AutoMemory:
			return "auto"
		case 0:
			return None
		}
		return ByteSize(n).String()
	}
	inRange := within(low, high, format)
	return one(at, kind[int]{
		hint: "SIZE", bounds: bounds(low, high, format) + ", auto or none",
		parse: func(text string) (int, bool) {
			switch strings.ToLower(strings.TrimSpace(text)) {
			case "auto":
				return AutoMemory, true
			case None:
				return 0, true
			}
			n, ok := parseByteSize(text)
			return int(n), ok
		},
		wants: "auto, none, or " + wantsByteSize,
		check: func(n int) *wrong {
			if n == 0 || n == AutoMemory {
				return nil
			}
			return inRange(n)
		},
		format: format,
	})
}

// span is a time from low to high.
func span(at func(*Options) *time.Duration, low, high time.Duration) value {
	return one(at, kind[time.Duration]{
		hint: "TIME", bounds: bounds(low, high, spanText),
		parse: func(text string) (time.Duration, bool) {
			d, err := time.ParseDuration(text)
			return d, err == nil
		},
		wants:  "a time with its unit (500ms, 5s, 1m30s)",
		check:  within(low, high, spanText),
		format: spanText,
	})
}

// spanText writes a time as people do: 24h where Go has 24h0m0s.
func spanText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// rate is a number that need not be whole.
func rate(at func(*Options) *float64) value {
	const high = gib
	format := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	return one(at, kind[float64]{
		hint: "N", bounds: bounds(0, high, func(f float64) string { return group(int(f)) }),
		parse: func(text string) (float64, bool) {
			f, err := strconv.ParseFloat(text, 64)
			return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) // no limit means either
		},
		wants:  "a number",
		check:  within(0, high, format),
		format: format,
	})
}

// mode is a file's permission.
func mode(at func(*Options) *FileMode) value {
	return one(at, kind[FileMode]{
		hint: "MODE", bounds: bounds(0, 0o777, FileMode.String),
		parse:  parseFileMode,
		wants:  "an octal file mode such as 0660",
		check:  within(0, 0o777, FileMode.String),
		format: FileMode.String,
	})
}

// word is one of some, in small letters or capitals.
func word(at func(*Options) *string, hint string, words ...string) value {
	all := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	return one(at, kind[string]{
		hint:  hint,
		parse: func(given string) (string, bool) { return strings.ToLower(given), true },
		check: func(given string) *wrong {
			if slices.Contains(words, given) {
				return nil
			}
			return &wrong{all, strconv.Quote(given)}
		},
		format: verbatim,
	})
}

// toggle is on or off; given without a value, it is on.
func toggle(at func(*Options) *bool) value {
	v := one(at, kind[bool]{
		hint: "true|false",
		parse: func(given string) (bool, bool) {
			on, err := strconv.ParseBool(given)
			return on, err == nil
		},
		wants:  "true or false",
		check:  func(bool) *wrong { return nil },
		format: strconv.FormatBool,
	})
	v.bare = []string{"true"}
	return v
}

// text is one that check, if there is any, may find wrong.
func text(at func(*Options) *string, hint string, check func(string) *wrong) value {
	if check == nil {
		check = func(string) *wrong { return nil }
	}
	return one(at, kind[string]{
		hint: hint, check: check, format: verbatim,
		parse: func(given string) (string, bool) { return given, true },
	})
}

func verbatim(s string) string { return s }

// notEmpty refuses an empty text where one is given: who names no token does not
// mean to open what the token of another place guards.
func notEmpty(v value) value {
	read := v.read
	v.read = func(o *Options, given []string) *wrong {
		if len(given) == 1 && given[0] == "" {
			return &wrong{"a value", `""`}
		}
		return read(o, given)
	}
	return v
}

// texts is a list; check looks at one of them and at those before it.
func texts(at func(*Options) *[]string, hint string, check func(text string, before []string) *wrong) value {
	return value{
		hint: hint, list: true,
		read: func(o *Options, given []string) *wrong {
			*at(o) = given
			return nil
		},
		check: func(o *Options) *wrong {
			all := *at(o)
			for i, text := range all {
				if w := check(text, all[:i]); w != nil {
					return w
				}
			}
			return nil
		},
		write: func(o *Options) []string { return slices.Clone(*at(o)) },
		copy:  func(to, from *Options) { *at(to) = slices.Clone(*at(from)) },
	}
}

// within checks that a value is from low to high.
func within[T int | float64 | time.Duration | FileMode](low, high T, format func(T) string) func(T) *wrong {
	return func(v T) *wrong {
		if v >= low && v <= high {
			return nil
		}
		return &wrong{format(low) + " to " + format(high), format(v)}
	}
}

func bounds[T any](low, high T, format func(T) string) string {
	return format(low) + " to " + format(high)
}

// group writes 1000000 as 1,000,000.
func group(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
