package order

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// drain sends the barriers of all doors.
func (o *order) drain() {
	o.tb.Helper()
	for _, l := range o.loops {
		o.on(l, func() { l.port.Publish(NewBarrier(), l.catchUp) })
	}
	if err := o.broker.CloseOutside(context.Background()); err != nil {
		o.tb.Fatal(err)
	}
}

// TestSinkBarrier: a drain's barrier comes behind all that was ordered before it, once,
// however full the queue is, and whether somebody waits for it or not.
func TestSinkBarrier(t *testing.T) {
	for _, test := range []struct {
		queue, messages int
		want            string
	}{
		{10, 0, "drained closed"},
		{10, 3, "0 1 2 drained closed"},
		{3, 3, "0 1 2 drained closed"},
		{1, 4, "0 missed drained closed"},
	} {
		t.Run(fmt.Sprintf("%d of %d", test.messages, test.queue), func(t *testing.T) {
			o := startOrder(t, 2, 4, 1<<20)
			asked := SinkOptions{Name: "test", MaxMessages: test.queue, MaxBytes: 1 << 20, SayDrained: true}
			sink := o.broker.NewSink(asked)
			asked.SayDrained = false
			silent := o.broker.NewSink(asked)
			for i := range test.messages {
				if _, err := o.broker.Publish(t.Context(), fromOutside("g", fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
			}
			o.drain()
			waitFor(t, "the barrier", func() bool { return sink.barrier.Load() && silent.barrier.Load() })
			if len(sink.queue) > 0 {
				if err := sink.behindAll(); err != nil {
					t.Errorf("%v in front of what is queued", err)
				}
			}
			late := o.broker.NewSink(SinkOptions{Name: "late", MaxMessages: 1, MaxBytes: 1 << 20, SayDrained: true})
			sink.Close()
			silent.Close()
			late.Close()
			if got := allOf(t, sink); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got := allOf(t, silent); got != strings.Replace(test.want, "drained ", "", 1) {
				t.Errorf("who did not ask got %q", got)
			}
			if got := allOf(t, late); got != "drained closed" {
				t.Errorf("who came behind the barrier got %q", got)
			}
		})
	}
}

// allOf is what a sink that is closed still says.
func allOf(tb testing.TB, s *Sink) (text string) {
	tb.Helper()
	for {
		m, err := s.Next(context.Background())
		switch {
		case err == nil:
			text += string(m.Payload) + " "
		case errors.Is(err, ErrSinkMissed):
			text += "missed "
		case errors.Is(err, ErrSinkDrained):
			text += "drained "
		case errors.Is(err, ErrSinkClosed):
			return text + "closed"
		default:
			tb.Fatal(err)
		}
	}
}

// TestSinkBarrierWakes: who waits for the next message hears of the barrier.
func TestSinkBarrierWakes(t *testing.T) {
	o := startOrder(t, 1, 4, 1<<20)
	sink := o.broker.NewSink(SinkOptions{Name: "test", MaxMessages: 1, MaxBytes: 1 << 20, SayDrained: true})
	defer sink.Close()
	came := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		_, err := sink.Next(ctx)
		came <- err
	}()
	o.drain()
	if err := <-came; !errors.Is(err, ErrSinkDrained) {
		t.Errorf("%v, want %v", err, ErrSinkDrained)
	}
}
