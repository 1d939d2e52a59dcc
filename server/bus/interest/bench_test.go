package interest

import (
	"fmt"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"groupcast/loop"
)

const benchGroups = 100_000

// benchTable has that many groups with a member each, all subscribed to and covered.
func benchTable(tb testing.TB, subjects int) (t *table, names []string) {
	tb.Helper()
	o := DefaultOptions(2)
	o.Subjects = subjects
	if err := o.Validate(); err != nil {
		tb.Fatal(err)
	}
	t = newTable(o, time.Now())
	t.isUp()
	for i := range benchGroups {
		names = append(names, fmt.Sprintf("group-%08d", i))
	}
	t.update(updateOf(true, names))
	drain(t)
	if t.covered != benchGroups {
		tb.Fatalf("%d covered", t.covered)
	}
	return t, names
}

func updateOf(joined bool, names []string) (u loop.MembersUpdate) {
	u.Changes = make([]loop.MemberChange, len(names))
	for i, name := range names {
		u.Changes[i].Group, u.Changes[i].Joined = name, joined
	}
	return u
}

// drain does all that the table wants, with NATS and loops that answer at once.
func drain(t *table) {
	for {
		t.advance()
		_, _ = t.takeCoverage()
		for len(t.takeCover()) > 0 {
		}
		if t.takeUncover() != nil {
			t.uncovered(nil, nil)
			continue
		}
		b, ready := t.batch()
		if !ready {
			return
		}
		t.handed(&b)
		t.marked(b.Marker, true)
	}
}

// BenchmarkChange is a group that comes, is covered, leaves, lingers and is left, in 100,000:
// by change, a join or a leave, in updates of 100.
func BenchmarkChange(b *testing.B) {
	for _, mode := range []struct {
		name     string
		subjects int
	}{{"single", 2 * benchGroups}, {"wildcard", benchGroups / 2}} {
		b.Run(mode.name, func(b *testing.B) {
			t, _ := benchTable(b, mode.subjects)
			var fresh []string
			for i := range 100 {
				fresh = append(fresh, fmt.Sprintf("fresh-%08d", i))
			}
			come, leave := updateOf(true, fresh), updateOf(false, fresh)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%200 == 0 {
					t.update(come)
					drain(t)
				} else if i%200 == 100 {
					t.update(leave)
					t.at(t.now.Add(t.opt.Linger))
					drain(t)
				}
			}
		})
	}
}

// BenchmarkSame is a join or a leave of a group that has other members.
func BenchmarkSame(b *testing.B) {
	t, names := benchTable(b, 2*benchGroups)
	come, leave := updateOf(true, names[:100]), updateOf(false, names[:100])
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%200 == 0 {
			t.update(come)
		} else if i%200 == 100 {
			t.update(leave)
		}
	}
}

// BenchmarkAnew is a reactor that is read anew, with 100,000 groups.
func BenchmarkAnew(b *testing.B) {
	t, names := benchTable(b, 2*benchGroups)
	u := updateOf(true, names)
	u.Anew = true
	b.ReportAllocs()
	for b.Loop() {
		t.update(u)
		t.advance()
	}
}

// BenchmarkSwitch is the change to the wildcard and back, with 100,000 groups.
func BenchmarkSwitch(b *testing.B) {
	t, _ := benchTable(b, 2*benchGroups)
	b.ReportAllocs()
	for b.Loop() {
		t.overflowed()
		drain(t)
		t.narrow()
		drain(t)
		if t.mode != single || t.wildcard {
			b.Fatal("not back")
		}
	}
}

// BenchmarkLost is one loss among 100,000 groups.
func BenchmarkLost(b *testing.B) {
	t, _ := benchTable(b, 2*benchGroups)
	b.ReportAllocs()
	for b.Loop() {
		t.lost([]func(uint64) bool{func(hash uint64) bool { return hash == 1 }}, false)
	}
}

// TestMemory: a group costs what doc.go says, beside its name.
func TestMemory(t *testing.T) {
	if size := unsafe.Sizeof(group{}); size > 72 {
		t.Errorf("a group has %d bytes", size)
	}
	var before, after runtime.MemStats
	var names []string
	for i := range benchGroups {
		names = append(names, fmt.Sprintf("group-%08d", i))
	}
	u := updateOf(true, names)
	runtime.GC()
	runtime.ReadMemStats(&before)
	o := DefaultOptions(2)
	o.Subjects = 2 * benchGroups
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	table := newTable(o, time.Now())
	table.isUp()
	table.update(u)
	drain(table)
	runtime.GC()
	runtime.ReadMemStats(&after)
	bytes := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / benchGroups
	t.Logf("%d bytes a group", bytes)
	if bytes > 250 {
		t.Errorf("%d bytes a group", bytes)
	}
	runtime.KeepAlive(names)
	runtime.KeepAlive(u)
	runtime.KeepAlive(table)
}
