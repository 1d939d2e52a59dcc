package order

import (
	"errors"
	"fmt"
	"sync"
	"testing"
)

func fromOutside(group, payload string) *Message {
	m := NewMessage([]byte(group), []byte(payload), nil, true)
	m.Outside = &Outside{}
	return m
}

// TestKeepIsInTheOrder: what the broker keeps of a group is what stands in front of the
// question and nothing behind it, while loops and other goroutines publish as well.
func TestKeepIsInTheOrder(t *testing.T) {
	const groups, each = 3, 200
	o := startOrder(t, 2, 4, 1<<20)
	noise := o.publish(1, each, (*plainLoop).catchUp)
	var asking sync.WaitGroup
	for i := range groups {
		asking.Go(func() {
			group := fmt.Sprint("kept", i)
			first, err := o.broker.Keep(t.Context(), group)
			if err != nil || first.Last != 0 {
				t.Errorf("at first: %+v, %v", first, err)
				return
			}
			for range each {
				place, err := o.broker.Publish(t.Context(), fromOutside(group, "x"))
				if err != nil {
					t.Error(err)
					return
				}
				if kept, err := o.broker.Keep(t.Context(), group); err != nil || kept != (Kept{first.Since, place}) {
					t.Errorf("kept %+v behind the message at %d, want the place and since %d; %v", kept, place, first.Since, err)
					return
				}
				if place <= first.Since {
					t.Errorf("a message at %d came behind the beginning at %d", place, first.Since)
				}
			}
		})
	}
	asking.Wait()
	noise.Wait()
	if n := o.broker.Stats().Kept; n != groups {
		t.Errorf("%d groups are kept, want %d", n, groups)
	}
}

// TestForget: what is forgotten is told once more and kept no longer.
func TestForget(t *testing.T) {
	o := startOrder(t, 1, 16, 1<<20)
	if kept, err := o.broker.Forget(t.Context(), "g"); err != nil || kept != (Kept{}) {
		t.Errorf("never kept: %+v, %v", kept, err)
	}
	publish := func() uint64 {
		place, err := o.broker.Publish(t.Context(), fromOutside("g", "x"))
		if err != nil {
			t.Fatal(err)
		}
		return place
	}
	since := publish()
	if kept, err := o.broker.Keep(t.Context(), "g"); err != nil || kept != (Kept{Since: since}) {
		t.Errorf("kept %+v, %v", kept, err)
	}
	last := publish()
	if kept, err := o.broker.Forget(t.Context(), "g"); err != nil || kept != (Kept{since, last}) {
		t.Errorf("forgot %+v, %v; want %d and %d", kept, err, since, last)
	}
	if n := o.broker.Stats().Kept; n != 0 {
		t.Errorf("%d groups are kept", n)
	}
	since = publish()
	if kept, err := o.broker.Keep(t.Context(), "g"); err != nil || kept != (Kept{Since: since}) {
		t.Errorf("kept anew: %+v, %v", kept, err)
	}
}

// TestKeepRefuses: no more groups than MaxKept, and nothing once the door is closed.
func TestKeepRefuses(t *testing.T) {
	o := startOrder(t, 1, 16, 1<<20)
	for i := range MaxKept {
		if _, err := o.broker.Keep(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.broker.Keep(t.Context(), "one more"); !errors.Is(err, ErrTooManyKept) {
		t.Errorf("%v, want %v", err, ErrTooManyKept)
	}
	if _, err := o.broker.Keep(t.Context(), "7"); err != nil {
		t.Errorf("one that is kept: %v", err)
	}
	if _, err := o.broker.Forget(t.Context(), "7"); err != nil {
		t.Error(err)
	}
	if _, err := o.broker.Keep(t.Context(), "one more"); err != nil {
		t.Errorf("in its place: %v", err)
	}
	if err := o.broker.CloseOutside(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := o.broker.Keep(t.Context(), "7"); !errors.Is(err, ErrDraining) {
		t.Errorf("%v, want %v", err, ErrDraining)
	}
}

// TestEpoch: each run has its own, and a sink's messages say it.
func TestEpoch(t *testing.T) {
	o, other := startOrder(t, 1, 16, 1<<20), startOrder(t, 1, 16, 1<<20)
	epoch := o.broker.Epoch()
	if epoch == 0 || epoch == other.broker.Epoch() || epoch != o.broker.Epoch() {
		t.Errorf("%v and %v", epoch, other.broker.Epoch())
	}
	if text := Epoch(0xab).String(); text != "00000000000000ab" {
		t.Errorf("as text: %s", text)
	}
	sink := o.broker.NewSink(SinkOptions{Name: "test", MaxMessages: 1, MaxBytes: 1 << 20})
	if err := o.broker.Submit(t.Context(), fromOutside("g", "x")); err != nil {
		t.Fatal(err)
	}
	if m, err := sink.Next(t.Context()); err != nil || m.Epoch != epoch || m.Order != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}
