package loop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"groupcast/loop/order"
)

func next(tb testing.TB, s *Sink) SinkMessage {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m, err := s.Next(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// TestSinkOrder: a sink gets what a member of the group gets, in that order,
// from sessions on all loops and from outside, with the broker's numbers.
func TestSinkOrder(t *testing.T) {
	const publishers, each = 4, 200
	e, addr := start(t, func(o *Options) { o.RingSlots = 4 })
	sink := e.NewSink(SinkOptions{Name: "test", MaxMessages: publishers * each, MaxBytes: 1 << 20})
	defer sink.Close()
	member := open(t, addr)
	member.join("g")
	var work errgroup.Group
	for p := range publishers - 1 {
		w := open(t, addr)
		work.Go(func() error {
			for i := range each {
				if err := w.tryWrite(textFrame(fmt.Sprintf(`{"cmd":"send_to_group","group_id":"g","message":"%d-%d"}`, p,
					i))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	tag := new(int)
	work.Go(func() error {
		for i := range each {
			_, err := e.PublishAll(t.Context(), Publication{
				Groups: []string{"g"}, Payload: fmt.Append(nil, i), From: sink,
				Tag: tag,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	var got []string
	work.Go(func() (err error) {
		got, err = collect(member, publishers*each)
		return err
	})
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, want := range got {
		m := next(t, sink)
		if string(m.Payload) != want || m.Group != "g" || m.Order != uint64(i)+1 {
			t.Fatalf("the sink's message %d is %q of %q with order %d; the member's is %q", i, m.Payload, m.Group, m.Order, want)
		}
		if own := m.Tag == tag; own != (m.From == sink) || own == m.IsText {
			t.Fatalf("message %d: from %p, tag %v, text %v", i, m.From, m.Tag, m.IsText)
		}
	}
	if s := sink.Stats(); s.QueuedMessages != 0 || s.QueuedBytes != 0 || s.Taken != publishers*each || s.Dropped != 0 {
		t.Errorf("at the end: %+v", s)
	}
}

// TestSinkOverflow: a sink that nobody reads holds its limit of messages, or of
// bytes, and no publisher and no other sink is held up by it.
func TestSinkOverflow(t *testing.T) {
	const n = 500
	e, addr := start(t, func(o *Options) { o.RingSlots = 2 })
	few := e.NewSink(SinkOptions{Name: "few messages", MaxMessages: 10, MaxBytes: 1 << 20})
	small := e.NewSink(SinkOptions{Name: "few bytes", MaxMessages: n, MaxBytes: 3000})
	all := e.NewSink(SinkOptions{Name: "all", MaxMessages: n, MaxBytes: 1 << 20})
	w := open(t, addr)
	w.join("g")
	for i := range n {
		w.say(`{"cmd":"send_to_group","group_id":"g","message":"%0100d"}`, i)
	}
	if texts, err := collect(w, n); err != nil || len(texts) != n {
		t.Fatal(len(texts), err)
	}
	for i := range n {
		if m := next(t, all); string(m.Payload) != fmt.Sprintf("%0100d", i) {
			t.Fatalf("%s, want %d", m.Payload, i)
		}
	}
	if s := few.Stats(); s.QueuedMessages != 10 || s.Taken != 10 || s.Dropped != n-10 {
		t.Errorf("%+v", s)
	}
	if s := small.Stats(); s.QueuedBytes > 3000 || s.QueuedMessages < 5 || int(s.Taken) != s.QueuedMessages ||
		int(s.Dropped) != n-s.QueuedMessages {
		t.Errorf("%+v", s)
	}
	if list := mustStats(t, e).Sinks; len(list) != 3 || list[0].Name != "few messages" || list[0].Dropped != n-10 {
		t.Errorf("the engine's: %+v", list)
	}

	// What is queued comes after Close, and then the end; nothing more goes in.
	few.Close()
	few.Close()
	if _, err := e.Publish(t.Context(), "g", nil); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if m := next(t, few); string(m.Payload) != fmt.Sprintf("%0100d", i) {
			t.Fatalf("%s, want %d", m.Payload, i)
		}
	}
	if _, err := few.Next(t.Context()); !errors.Is(err, ErrSinkMissed) {
		t.Errorf("%v where the rest was dropped", err)
	}
	if _, err := few.Next(t.Context()); !errors.Is(err, ErrSinkClosed) {
		t.Errorf("%v after the end", err)
	}
	if list := mustStats(t, e).Sinks; len(list) != 2 {
		t.Errorf("%d sinks are left", len(list))
	}
}

func mustStats(tb testing.TB, e *Engine) Stats {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := e.Stats(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// TestSinkWaits: Next waits for a message, for ctx, and for the engine.
func TestSinkWaits(t *testing.T) {
	e := startAlone(t, nil)
	sink := e.NewSink(SinkOptions{Name: "test", MaxMessages: 10, MaxBytes: 1 << 20})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := sink.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a deadline: %v", err)
	}
	came := make(chan error, 2)
	go func() {
		for range 2 {
			_, err := sink.Next(context.Background())
			came <- err
		}
	}()
	if _, err := e.Publish(t.Context(), "g", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-came; err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-came; !errors.Is(err, ErrSinkClosed) {
		t.Errorf("after the engine's end: %v", err)
	}
}

// TestPublishAll: to all groups, one right after the other, or to none.
func TestPublishAll(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.MaxMessageBytes, o.RingBytes = 1000, 5000 })
	sink := e.NewSink(SinkOptions{Name: "test", MaxMessages: 10_000, MaxBytes: 1 << 20})
	defer sink.Close()
	both, second, left := open(t, addr), open(t, addr), open(t, addr)
	both.join("a", "b")
	second.join("b")
	left.join("a", "b")
	leftID := sessionOf(t, e, left)
	order, err := e.PublishAll(t.Context(), Publication{
		Groups: []string{"a", "b", "b"}, Payload: []byte(`{"x":1}`),
		Exclude: []SessionID{leftID, {}, order.NewSessionID(0, 1<<30, 1), leftID},
	})
	if err != nil || order != 3 {
		t.Fatalf("order %d, %v", order, err)
	}
	for range 3 {
		both.want(`{"x":1}`)
	}
	for range 2 {
		second.want(`{"x":1}`)
	}
	for _, w := range []*wire{both, second, left} {
		w.sync() // nothing more for any of them
	}
	for i, want := range []string{"a", "b", "b"} {
		if m := next(t, sink); m.Group != want || m.Order != uint64(i)+1 {
			t.Errorf("message %d is for %q with order %d", i, m.Group, m.Order)
		}
	}

	if _, err := e.Publish(t.Context(), "a", []byte("for all again")); err != nil {
		t.Fatal(err)
	}
	both.want("for all again")
	left.want("for all again")
	next(t, sink)

	big := make([]byte, 1000)
	for name, test := range map[string]struct {
		p    Publication
		want error
	}{
		"no group":        {Publication{}, ErrTooManyGroups},
		"too many groups": {Publication{Groups: make([]string, MaxPublicationGroups+1)}, ErrTooManyGroups},
		"one is bad":      {Publication{Groups: []string{"a", ""}}, ErrBadGroup},
		"too many excludes": {
			Publication{Groups: []string{"a"}, Exclude: make([]SessionID, MaxPublicationExcludes+1)},
			ErrTooManyExcludes,
		},
		"more than a ring": {Publication{Groups: slices.Repeat([]string{"a"}, 30), Payload: big}, ErrTooLarge},
	} {
		if _, err := e.PublishAll(t.Context(), test.p); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	both.sync()
	if n := sink.Stats().Taken; n != 4 {
		t.Errorf("%d messages in all; what was refused was published", n)
	}
	if _, err := e.PublishAll(t.Context(), Publication{Groups: slices.Repeat([]string{"c"}, 20)}); err != nil {
		t.Errorf("20 small ones: %v", err)
	}
}

// TestPublishAllTogether: publications to two groups are never interleaved.
func TestPublishAllTogether(t *testing.T) {
	const publishers, each = 8, 100
	e := startAlone(t, func(o *Options) {
		o.Loops, o.RingSlots, o.MaxMessageBytes = 2, 2, 100
		o.RingBytes = o.MaxFrameBytes() // little, so that what is not given back is missed
	})
	sink := e.NewSink(SinkOptions{Name: "test", MaxMessages: 2 * publishers * each, MaxBytes: 1 << 24})
	var work errgroup.Group
	for p := range publishers {
		work.Go(func() error {
			for i := range each {
				text := fmt.Appendf(nil, "%d-%d", p, i)
				if _, err := e.PublishAll(t.Context(), Publication{Groups: []string{"a", "b"}, Payload: text}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	for range publishers * each {
		a, b := next(t, sink), next(t, sink)
		if a.Group != "a" || b.Group != "b" || string(a.Payload) != string(b.Payload) || b.Order != a.Order+1 {
			t.Fatalf("%s for %s, then %s for %s", a.Payload, a.Group, b.Payload, b.Group)
		}
	}
}

// TestSinkCountsSharedFrames: what a sink keeps of a publication to many groups
// may be any of its messages, so each counts the frame that they share.
func TestSinkCountsSharedFrames(t *testing.T) {
	e := startAlone(t, nil)
	sink := e.NewSink(SinkOptions{Name: "test", MaxMessages: 100, MaxBytes: 5000})
	defer sink.Close()
	p := Publication{Groups: slices.Repeat([]string{"g"}, 10), Payload: make([]byte, 2000), IsText: true}
	if _, err := e.PublishAll(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "all are taken or dropped", func() bool { s := sink.Stats(); return s.Taken+s.Dropped == 10 })
	if s := sink.Stats(); s.Taken != 2 {
		t.Errorf("%d messages of 2,000 bytes in a sink of 5,000 bytes", s.Taken)
	}
}

// TestSinkTellsGapsInPlace: what was dropped is told exactly where it is missing,
// and at once where nothing comes behind it.
func TestSinkTellsGapsInPlace(t *testing.T) {
	e := startAlone(t, nil)
	sink := e.NewSink(SinkOptions{Name: "test", MaxMessages: 2, MaxBytes: 1 << 20})
	defer sink.Close()
	send := func(from, to int) {
		for i := from; i < to; i++ {
			if _, err := e.Publish(t.Context(), "g", fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the sink to have seen it", func() bool { s := sink.Stats(); return int(s.Taken+s.Dropped) > i })
		}
	}
	want := func(list ...string) {
		t.Helper()
		for _, text := range list {
			m, err := sink.Next(t.Context())
			if got := string(m.Payload); err != nil && !errors.Is(err, ErrSinkMissed) || err == nil && got != text ||
				err != nil && text != "gap" {
				t.Fatalf("%q, %v; want %q", got, err, text)
			}
		}
	}
	send(0, 4)
	want("0")
	send(4, 6)
	want("1", "gap", "4", "gap")
	send(6, 8)
	want("6", "7")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := sink.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%s, %v: told twice", m.Payload, err)
	}
}
