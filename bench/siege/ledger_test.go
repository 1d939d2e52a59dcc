package main

import (
	"testing"
	"time"
)

// TestLedger: what is lost, what comes twice and what comes late are told apart, exactly.
func TestLedger(t *testing.T) {
	type verdict struct{ received, lost, duplicated, reordered uint64 }
	for name, test := range map[string]struct {
		came      []uint64
		published uint64
		want      verdict
	}{
		"all in order":            {[]uint64{1, 2, 3}, 3, verdict{3, 0, 0, 0}},
		"nothing of nothing":      {nil, 0, verdict{}},
		"nothing of something":    {nil, 3, verdict{0, 3, 0, 0}},
		"the first lost":          {[]uint64{2, 3}, 3, verdict{2, 1, 0, 0}},
		"a hole":                  {[]uint64{1, 4}, 4, verdict{2, 2, 0, 0}},
		"the tail lost":           {[]uint64{1, 2}, 5, verdict{2, 3, 0, 0}},
		"twice in a row":          {[]uint64{1, 1, 2}, 2, verdict{3, 0, 1, 0}},
		"an old one again":        {[]uint64{1, 2, 3, 1}, 3, verdict{4, 0, 1, 0}},
		"two changed places":      {[]uint64{2, 1, 3}, 3, verdict{3, 0, 0, 1}},
		"late, then again":        {[]uint64{1, 3, 2, 2}, 3, verdict{4, 0, 1, 1}},
		"a hole filled in part":   {[]uint64{1, 5, 3}, 5, verdict{3, 2, 0, 1}},
		"more than was published": {[]uint64{1, 2, 3}, 2, verdict{3, 0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var l ledger
			for _, n := range test.came {
				l.take(n)
			}
			if got := (verdict{l.received, l.lost(test.published), l.duplicated, l.reordered}); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestStamp: what a message says of itself comes back, and what is no message is none.
func TestStamp(t *testing.T) {
	s := stamp{stream: 7, number: 42, due: 3 * time.Second}
	if got, err := readStamp(s.String()); err != nil || got != s {
		t.Errorf("%v came back as %v, %v", s, got, err)
	}
	whole := s.String()
	for _, text := range []string{
		"", "live", whole[:len(whole)-1], whole[1:], whole + "x", "live 7 0 1" + padding, "live 7 -1 1" + padding,
		"live 7 42 x" + padding, "live  42 1" + padding, "live 7 42 1 1" + padding, "live 7 42 1",
	} {
		if got, err := readStamp(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}
