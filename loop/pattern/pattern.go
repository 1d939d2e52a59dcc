// Package pattern says which names are meant: by exact names, and by beginnings with a star
// behind them. It is the only matcher of names in the program, so that a pattern means the
// same in a token's claim, in a setting and wherever else groups are chosen.
//
//	room:1     that name
//	room:*     every name that begins with "room:", itself included
//	*          every name
//
// A star stands at the end and nowhere else, so that a set of any size is asked with one
// binary search, and nobody can write a pattern that is slow.
//
// # Decision, 2026-11-25: origins are matched elsewhere
//
// https://*.example.org (door.Origins) looks the same and is not: its star stands in front,
// for labels of a domain name, beside a scheme and a port. One matcher for both would be two
// in one.
package pattern

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a Set.
const (
	MaxPatterns = 256
	// MaxBytes bounds one pattern, with what stands in it for {sub}.
	MaxBytes = 1024
)

// Subject stands in a pattern for the user that it is for.
const Subject = "{sub}"

// Set is a set of patterns. The zero value matches nothing. It never changes, and may be
// used by any goroutine.
type Set struct {
	// entries are sorted, and none is matched by another one. So whatever matches a name is
	// the last entry that is not behind it: what stands between a beginning and a name that
	// begins with it begins with it as well.
	entries []entry
}

type entry struct {
	text   string
	prefix bool // text is a beginning
}

func (e entry) match(name []byte) bool {
	if e.prefix {
		return len(name) >= len(e.text) && string(name[:len(e.text)]) == e.text
	}
	return string(name) == e.text
}

// Parse reads patterns. sub takes the place of each {sub} in them, and is literal: a star in
// it is a star in a name. Without a sub, {sub} is an error. The errors do not repeat a
// pattern, which may be a peer's.
func Parse(list []string, sub string) (Set, error) {
	if len(list) > MaxPatterns {
		return Set{}, fmt.Errorf("wants %d patterns at most, got %d", MaxPatterns, len(list))
	}
	entries := make([]entry, 0, len(list))
	for i, text := range list {
		e, err := parse(text, sub)
		if err != nil {
			return Set{}, fmt.Errorf("pattern %d: %w", i+1, err)
		}
		entries = append(entries, e)
	}
	return Set{reduce(entries)}, nil
}

func parse(text, sub string) (entry, error) {
	e := entry{text: text}
	e.text, e.prefix = strings.CutSuffix(text, "*")
	filled, err := Fill(e.text, sub)
	switch {
	case text == "":
		return e, errors.New("wants a name, got none")
	case strings.Contains(e.text, "*"):
		return e, errors.New(`wants a "*" only at its end`)
	case err != nil:
		return e, err
	}
	e.text = filled
	return e, nil
}

// Fill is name with sub in place of each {sub}: no pattern, a star in it is a star.
func Fill(name, sub string) (string, error) {
	n := strings.Count(name, Subject)
	switch {
	case !utf8.ValidString(name):
		return "", errors.New("wants UTF-8")
	case n > 0 && sub == "":
		return "", fmt.Errorf("wants no %s, since there is no user", Subject)
	case len(name)+n*(len(sub)-len(Subject)) > MaxBytes:
		return "", fmt.Errorf("wants %d bytes at most", MaxBytes)
	case n == 0:
		return name, nil
	}
	return strings.ReplaceAll(name, Subject, sub), nil
}

// With is s and these exact names.
func (s Set) With(names []string) Set {
	entries := slices.Clone(s.entries)
	for _, name := range names {
		entries = append(entries, entry{text: name})
	}
	return Set{reduce(entries)}
}

// reduce sorts entries and drops those that another one includes.
func reduce(entries []entry) []entry {
	slices.SortFunc(entries, func(a, b entry) int {
		if c := strings.Compare(a.text, b.text); c != 0 {
			return c
		}
		// A beginning stands before the name of the same text, which it includes.
		switch {
		case a.prefix == b.prefix:
			return 0
		case a.prefix:
			return -1
		}
		return 1
	})
	kept := entries[:0]
	for _, e := range entries {
		if n := len(kept); n > 0 {
			last := kept[n-1]
			if last == e || last.prefix && strings.HasPrefix(e.text, last.text) {
				continue
			}
		}
		kept = append(kept, e)
	}
	return slices.Clip(kept)
}

// Match reports whether name is meant. It allocates nothing.
func (s Set) Match(name []byte) bool {
	// slices.BinarySearchFunc costs twice as much: a call for each comparison.
	low, high := 0, len(s.entries)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if s.entries[middle].text <= string(name) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low > 0 && s.entries[low-1].match(name)
}

// All reports whether every name is meant.
func (s Set) All() bool { return len(s.entries) == 1 && s.entries[0].prefix && s.entries[0].text == "" }

// Len is how many patterns Strings has.
func (s Set) Len() int { return len(s.entries) }

// None reports whether no name is meant.
func (s Set) None() bool { return len(s.entries) == 0 }

// Strings are the patterns, sorted, without those that others include. A star behind an exact
// name cannot be told from a pattern's: it is for people.
func (s Set) Strings() []string { return s.First(len(s.entries)) }

// First are the first n of Strings, or all there are.
func (s Set) First(n int) []string {
	list := make([]string, min(n, len(s.entries)))
	for i, e := range s.entries[:len(list)] {
		list[i] = e.text
		if e.prefix {
			list[i] += "*"
		}
	}
	return list
}

// AppendKey appends what is the same for equal sets, and for no others.
func (s Set) AppendKey(dst []byte) []byte {
	for _, e := range s.entries {
		kind := byte('=')
		if e.prefix {
			kind = '^'
		}
		dst = append(dst, kind)
		dst = fmt.Appendf(dst, "%d:", len(e.text))
		dst = append(dst, e.text...)
	}
	return append(dst, ';')
}
