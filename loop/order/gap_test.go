package order

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// TestGapsInTheOrder is TestTotalOrder with gaps between the messages: each stands, on every
// loop, behind what its publisher has published before and in front of what comes after, takes
// no place, and reaches no sink.
func TestGapsInTheOrder(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 200
	}
	for _, size := range []struct{ slots, bytes int }{
		{1, 1 << 20},
		{2, 3*Overhead + 40}, // what a publication and its gap need, and little more
		{1024, 16 << 20},
	} {
		t.Run(fmt.Sprintf("slots=%d", size.slots), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(3, runtime.NumCPU())))
			o := startOrder(t, 3, size.slots, size.bytes)
			sink := o.broker.NewSink(SinkOptions{Name: "test", MaxMessages: 8 * n, MaxBytes: 1 << 30, Users: true})
			done := o.publish(1, n, (*plainLoop).catchUp)
			var gaps sync.WaitGroup
			for p := range 2 {
				gaps.Go(func() {
					for i := range n {
						m := text(fmt.Sprintf("g%d:%d", p, 3*i))
						m.Outside = &Outside{}
						names := []string{fmt.Sprintf("g%d:%d", p, 3*i+1), fmt.Sprintf("g%d:%d", p, 3*i+2)}
						err := errors.Join(o.broker.Submit(context.Background(), m), o.broker.Gap(context.Background(), names))
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			list := o.received((4 + 2*3) * n)
			done.Wait()
			gaps.Wait()
			var messages, both []string
			for _, text := range list {
				if text[0] == 'g' {
					both = append(both, text)
				} else {
					messages = append(messages, text)
				}
			}
			checkFIFO(t, messages, 4, n)
			checkFIFO(t, both, 2, 3*n)
			for i, text := range list {
				var p, number int
				if _, err := fmt.Sscanf(text, "g%d:%d", &p, &number); err == nil && number%3 == 2 &&
					list[i-1] != fmt.Sprintf("g%d:%d", p, number-1) {
					t.Errorf("the groups of one gap are apart: %q", list[i-1:i+1])
				}
			}
			for i, m := range rest(t, sink) {
				if m.Order != uint64(i)+1 || m.Group != "g" {
					t.Fatalf("the sink's message %d has order %d, for %q", i, m.Order, m.Group)
				}
			}
			if got := o.broker.Stats().Order; got != uint64(6*n) {
				t.Errorf("%d places were given, want %d", got, 6*n)
			}
		})
	}
}

// TestGapSize: a gap counts in the door and the rings with its groups' names.
func TestGapSize(t *testing.T) {
	m := NewGap([]string{"a", "bcd", ""})
	if n := m.SizeWithGroups(); n != 4+3*Overhead || m.Size() != 1+Overhead {
		t.Errorf("%d, the first %d", n, m.Size())
	}
	stopped := make(chan struct{})
	defer close(stopped)
	p := NewPort(64, 1<<20, func() {})
	b := NewBroker([]*Port{p}, 64, 1<<20, stopped)
	if err := b.Gap(t.Context(), []string{"a", "bcd"}); err != nil {
		t.Fatal(err)
	}
	if n := b.door.held.Load(); n != 4+2*Overhead {
		t.Errorf("%d bytes in the door", n)
	}
	b.takeOutside()
	var groups []string
	for m := p.Take(); m != nil; m = p.Take() {
		if m.Kind != KindGap || m.Order() != 0 {
			t.Errorf("kind %d, order %d", m.Kind, m.Order())
		}
		groups = append(groups, m.Group())
	}
	if !slices.Equal(groups, []string{"a", "bcd"}) || b.order != 0 {
		t.Errorf("%q, and %d places given", groups, b.order)
	}
	if s := b.Stats().Outside; s.Taken != 0 {
		t.Errorf("counted as %d publications", s.Taken)
	}
}

// TestGapBeforeTheBarrier: what was taken before a drain comes before its barrier, and none after.
func TestGapBeforeTheBarrier(t *testing.T) {
	stopped := make(chan struct{})
	defer close(stopped)
	p := NewPort(64, 1<<20, func() {})
	b := NewBroker([]*Port{p}, 64, 1<<20, stopped)
	if err := b.Gap(t.Context(), []string{"g"}); err != nil {
		t.Fatal(err)
	}
	if err := b.CloseOutside(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Gap(t.Context(), []string{"h"}); !errors.Is(err, ErrDraining) {
		t.Errorf("behind it: %v", err)
	}
	p.Publish(NewBarrier(), nil)
	b.takeFrom(p)
	b.takeOutside()
	gap, barrier := p.Take(), p.Take()
	if gap == nil || gap.Kind != KindGap || barrier == nil || barrier.Kind != KindBarrier {
		t.Errorf("%v, %v", gap, barrier)
	}
}
