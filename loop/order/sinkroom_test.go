package order

import (
	"context"
	"errors"
	"testing"
	"time"
)

// sinkPatience is how long a test waits for what a sink has.
const sinkPatience = 20 * time.Second

// wantNext is what Next says: a message's text, or the error.
func wantNext(t *testing.T, s *Sink, text string, want error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sinkPatience)
	defer cancel()
	m, err := s.Next(ctx)
	if string(m.Payload) != text || !errors.Is(err, want) {
		t.Errorf("got %q, %v, want %q, %v", m.Payload, err, text, want)
	}
}

// TestSinkHasRoomAgain: what was dropped holds no room, and that it was stands in its place.
func TestSinkHasRoomAgain(t *testing.T) {
	o := startOrder(t, 1, 2048, 1<<24)
	send := func(text string) { o.submit(publication(text, []string{"g"}, nil)) }
	probe := o.broker.NewSink(SinkOptions{Name: "probe", MaxMessages: 1, MaxBytes: 1 << 20})
	send("0")
	size := probe.Stats().QueuedBytes
	bytes := o.broker.NewSink(SinkOptions{Name: "bytes", MaxMessages: 4, MaxBytes: size})
	messages := o.broker.NewSink(SinkOptions{Name: "messages", MaxMessages: 1, MaxBytes: 4 * size})
	sinks := []*Sink{bytes, messages}
	send("1")
	send("2")
	for _, s := range sinks {
		if got := s.Stats(); got.QueuedBytes != size || got.QueuedMessages != 1 || got.Taken != 1 || got.Dropped != 1 {
			t.Errorf("%+v", got)
		}
		wantNext(t, s, "1", nil)
	}
	send("3")
	for _, s := range sinks {
		wantNext(t, s, "", ErrSinkMissed)
		wantNext(t, s, "3", nil)
	}
	send("4")
	send("5")
	for _, s := range sinks {
		wantNext(t, s, "4", nil) // not told twice
		wantNext(t, s, "", ErrSinkMissed)
	}
	send("6")
	for _, s := range sinks {
		wantNext(t, s, "6", nil)
		if got := s.Stats(); got.QueuedBytes != 0 || got.Dropped != 2 {
			t.Errorf("%+v", got)
		}
	}
}

// TestSinkMissedWakes: a Next that waits hears of a message for which there is no room at all.
func TestSinkMissedWakes(t *testing.T) {
	o := startOrder(t, 1, 2048, 1<<24)
	sink := o.broker.NewSink(SinkOptions{Name: "test", MaxMessages: 1, MaxBytes: 1})
	for range 100 { // some of them find it waiting
		told := make(chan error)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), sinkPatience)
			defer cancel()
			_, err := sink.Next(ctx)
			told <- err
		}()
		o.submit(publication("x", []string{"g"}, nil))
		if err := <-told; !errors.Is(err, ErrSinkMissed) {
			t.Fatal(err)
		}
	}
}

// TestSinkSkipsOwn: what its owner submits comes back to a sink unless it asks for the opposite.
func TestSinkSkipsOwn(t *testing.T) {
	o := startOrder(t, 1, 2048, 1<<24)
	all := o.broker.NewSink(SinkOptions{Name: "all", MaxMessages: 8, MaxBytes: 1 << 20})
	others := o.broker.NewSink(SinkOptions{Name: "others", MaxMessages: 8, MaxBytes: 1 << 20, SkipOwn: true})
	for from, text := range map[*Sink]string{all: "of all", others: "of others", nil: "of nobody"} {
		m := publication(text, []string{"g"}, nil)
		m.Outside.From = from
		o.submit(m)
	}
	if got := len(rest(t, all)); got != 3 {
		t.Errorf("%d messages", got)
	}
	for _, m := range rest(t, others) {
		if string(m.Payload) == "of others" {
			t.Error("a message came back to where it came from")
		}
	}
}

// TestHeldCountsAll: what waits in a sink counts with its names, so that bytes bound it whatever they are spent on.
func TestHeldCountsAll(t *testing.T) {
	m := publication("payload", []string{"group"}, []string{"user", "7"})
	m.ReqID = []byte("123")
	m.Outside.ExcludeElsewhere = []string{"session"}
	const header = 16 // of a string
	plain := len(m.Frame.Buf) + len("group") + len("123") + Overhead
	if got, want := m.held(), plain+len("session")+header; got != want {
		t.Errorf("a message to a group holds %d bytes, want %d", got, want)
	}
	m.Kind, m.Outside.Groups = KindUsers, []string{"group", "b"}
	want := plain + len("session") + len("user7groupb") + 5*header
	if got := m.held(); got != want {
		t.Errorf("a message to users holds %d bytes, want %d", got, want)
	}
}
