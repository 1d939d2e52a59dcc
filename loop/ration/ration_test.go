package ration

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"groupcast/loop/leak"
)

// TestMain checks that the tests leave nothing behind.
func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }

// TestRations: each kind has its own, and a line says how many of its kind went
// before it unwritten.
func TestRations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := New(slog.New(slog.NewTextHandler(&out, nil)))
		for range 3 * Burst {
			l.Warn("knock", "peer", "x")
		}
		if n := strings.Count(out.String(), "msg=knock"); n != Burst {
			t.Errorf("%d lines at once, want %d", n, Burst)
		}
		if l.Warn("fire"); !strings.Contains(out.String(), "msg=fire not_logged=0") {
			t.Errorf("one kind hides another: %s", out.String())
		}
		<-time.After(Every)
		out.Reset()
		l.Warn("knock", "peer", "x")
		l.Warn("knock", "peer", "x")
		if got := out.String(); strings.Count(got, "\n") != 1 ||
			!strings.Contains(got, fmt.Sprintf("peer=x not_logged=%d", 2*Burst)) {
			t.Errorf("after %s: %s", Every, got)
		}
	})
}

// TestADay: a peer who knocks all day with as much text as it can fills no disk.
func TestADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := New(slog.New(slog.NewJSONHandler(&out, nil)))
		long := strings.Repeat("%2f", 16<<10/3)
		for range 24 * 60 * 60 {
			l.Warn("knock", "path", long, "error", errors.New(long), slog.String("method", long))
			<-time.After(time.Second)
		}
		if n, limit := out.Len(), (24*60*60/int(Every/time.Second)+Burst)*(3*(MaxValueBytes+30)+200); n > limit {
			t.Errorf("%d bytes in a day, want %d at most", n, limit)
		}
		if !strings.Contains(out.String(), fmt.Sprintf("... (%d bytes)", len(long))) {
			t.Error("no line says that it is cut")
		}
	})
}

// TestMaxKinds: kinds are bounded.
func TestMaxKinds(t *testing.T) {
	l := New(slog.New(slog.DiscardHandler))
	given := 0
	for i := range 10 * maxKinds {
		if ok, _ := l.Take(fmt.Sprint(i)); ok {
			given++
		}
	}
	if len(l.kinds) > maxKinds+1 || given > maxKinds+Burst {
		t.Errorf("%d kinds, %d lines", len(l.kinds), given)
	}
}

// TestLevel: what the log does not want costs no ration.
func TestLevel(t *testing.T) {
	var out bytes.Buffer
	l := New(slog.New(slog.NewTextHandler(&out, nil)))
	for range 2 * Burst {
		l.Log(slog.LevelDebug, "kind", "quiet")
	}
	if l.Log(slog.LevelError, "kind", "loud"); !strings.Contains(out.String(), "msg=loud not_logged=0") ||
		strings.Contains(out.String(), "quiet") {
		t.Error(out.String())
	}
}

func TestCut(t *testing.T) {
	for _, s := range []string{"", strings.Repeat("x", MaxValueBytes)} {
		if got := Cut(s); got != s {
			t.Errorf("%d bytes are cut to %q", len(s), got)
		}
	}
	for _, part := range []string{"x", "ä", "€", "\U0001f600", "\x80"} {
		s := strings.Repeat(part, MaxValueBytes+1)
		for skip := range 4 {
			s := "abc"[:min(skip, 3)] + s
			head, tail, ok := strings.Cut(Cut(s), "...")
			if !ok || !strings.HasPrefix(s, head) || len(head) > MaxValueBytes || len(head) < MaxValueBytes-utf8.UTFMax ||
				tail != fmt.Sprintf(" (%d bytes)", len(s)) || utf8.ValidString(s) && !utf8.ValidString(head) {
				t.Errorf("%q", Cut(s))
			}
		}
	}
}
