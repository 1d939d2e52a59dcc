package loop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestPublish from outside: orders rise, what is refused is not sent.
func TestPublish(t *testing.T) {
	const limit = 1000
	e, addr := start(t, func(o *Options) { o.MaxMessageBytes, o.MaxGroupBytes = limit, 10 })
	a, b := open(t, addr), open(t, addr)
	a.join("g", "gggggggggg")
	b.join("g")
	for _, test := range []struct {
		name, group, text string
		want              error
	}{
		{"text", "g", "hello", nil},
		{"empty", "g", "", nil},
		{"at the limit", "g", strings.Repeat("x", limit), nil},
		{"over the limit", "g", strings.Repeat("x", limit+1), ErrTooLarge},
		{"over the limit once encoded", "g", strings.Repeat("\x01", limit/6+1), ErrTooLarge},
		{"within the limit once encoded", "g", strings.Repeat("\x01", limit/6), nil},
		{"not UTF-8", "g", "\xff", ErrNotUTF8},
		{"no group", "", "x", ErrBadGroup},
		{"long group", "ggggggggggg", "x", ErrBadGroup},
		{"group not UTF-8", "\xff", "x", ErrBadGroup},
		{"nobody there", "empty", "x", nil},
	} {
		order, err := e.Publish(t.Context(), test.group, []byte(test.text))
		if !errors.Is(err, test.want) || (order > 0) != (err == nil) {
			t.Errorf("%s: order %d, error %v, want %v", test.name, order, err, test.want)
		}
		if err == nil && test.group == "g" {
			a.want(test.text)
			b.want(test.text)
		}
	}
	asJSON := func(n int) []byte { return []byte(`"` + strings.Repeat(`\"`, (n-2)/2) + `"`) }
	for n, want := range map[int]error{limit: nil, limit + 2: ErrTooLarge} { // not encoded once more
		_, err := e.PublishAll(t.Context(), Publication{Groups: []string{"g"}, Payload: asJSON(n)})
		if !errors.Is(err, want) {
			t.Errorf("JSON of %d bytes: %v, want %v", n, err, want)
		}
	}
	a.want(string(asJSON(limit)))
	b.want(string(asJSON(limit)))
	last := uint64(0)
	for i := range 100 {
		order, err := e.Publish(t.Context(), "gggggggggg", fmt.Append(nil, i))
		if err != nil || order <= last {
			t.Fatalf("order %d after %d, error %v", order, last, err)
		}
		last = order
		a.want(fmt.Sprint(i))
	}
	b.sync()
}

// TestPublishDeadline: with full rings a publish waits until its ctx ends. It
// is then told apart whether the message is still on its way, or was not taken
// and never comes.
func TestPublishDeadline(t *testing.T) {
	for _, narrow := range []func(*Options){
		func(o *Options) { o.RingSlots = 1 },
		func(o *Options) { o.RingBytes = o.MaxFrameBytes() },
	} {
		e, addr := start(t, func(o *Options) {
			o.MaxMessageBytes = 1000
			narrow(o)
		})
		w := open(t, addr)
		w.join("g")
		held, hold := make(chan struct{}), make(chan struct{})
		if err := e.reactors[1].Do(func() { close(held); <-hold }); err != nil {
			t.Fatal(err)
		}
		<-held
		var want []string
		var mu sync.Mutex
		overloaded := 0
		var work errgroup.Group
		for i := range 12 {
			work.Go(func() error {
				text := fmt.Sprintf("%02d%s", i, strings.Repeat("x", 900))
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				_, err := e.Publish(ctx, "g", []byte(text))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil, errors.Is(err, context.DeadlineExceeded):
					want = append(want, text)
				case errors.Is(err, ErrOverloaded):
					overloaded++
				default:
					return err
				}
				return nil
			})
		}
		err := work.Wait()
		close(hold)
		if err != nil {
			t.Fatal(err)
		}
		if overloaded == 0 || len(want) == 0 {
			t.Errorf("%d overloaded, %d taken; want some of both", overloaded, len(want))
		}
		got, err := collect(w, len(want))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("delivered %.10q, want %.10q", got, want)
		}
		if _, err := e.Publish(t.Context(), "g", []byte("again")); err != nil {
			t.Fatal(err)
		}
		w.want("again")
		w.sync()
	}
}

// TestPublishEndsWithTheEngine: nobody waits for an engine that is closed.
func TestPublishEndsWithTheEngine(t *testing.T) {
	o := DefaultOptions()
	o.Loops, o.RingSlots = 2, 1
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	held, hold := make(chan struct{}), make(chan struct{})
	if err := e.reactors[0].Do(func() { close(held); <-hold }); err != nil {
		t.Fatal(err)
	}
	<-held
	ended := make(chan error, 9)
	for range 8 { // they fill the rings and wait
		go func() {
			_, err := e.Publish(context.Background(), "g", []byte("x"))
			ended <- err
		}()
	}
	waitFor(t, "the rings are full", func() bool { s := e.broker.Stats().Outside; return s.Len == 1 && s.Full > 0 })
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	waitFor(t, "the end begins", func() bool {
		select {
		case <-e.stopped:
			return true
		default:
			return false
		}
	})
	close(hold)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	go func() { // too late from the start
		_, err := e.Publish(context.Background(), "g", []byte("x"))
		ended <- err
	}()
	for range 9 {
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Errorf("publish: %v, want %v", err, ErrClosed)
			}
		case <-time.After(patience):
			t.Fatal("a publish waits for a closed engine")
		}
	}
	if _, err := e.Stats(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("stats: %v, want %v", err, ErrClosed)
	}
	if _, err := e.Drain(t.Context(), 1001, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("drain: %v, want %v", err, ErrClosed)
	}
}

// TestSharedFrameCountsOnce: a publication to as many groups as there may be
// takes the room of one frame, and a message of any allowed size fits.
func TestSharedFrameCountsOnce(t *testing.T) {
	e, addr := start(t, nil)
	w := open(t, addr)
	w.join("last")
	p := Publication{Payload: []byte(strings.Repeat("x", e.options().MaxMessageBytes/2)), IsText: true}
	for i := range MaxPublicationGroups - 1 {
		p.Groups = append(p.Groups, fmt.Sprint(i))
	}
	p.Groups = append(p.Groups, "last")
	order, err := e.PublishAll(t.Context(), p)
	if err != nil || order != MaxPublicationGroups {
		t.Fatalf("order %d, %v", order, err)
	}
	w.want(string(p.Payload))
	// What was counted has been given back: as much again fits, many times over.
	for range 20 {
		if _, err := e.PublishAll(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		w.want(string(p.Payload))
	}
}

// TestExcludeIsCopied: the caller may do with its list what it likes.
func TestExcludeIsCopied(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.Loops = 1 })
	in, out := open(t, addr), open(t, addr)
	in.join("g")
	out.join("g")
	page, _, err := e.Sessions(t.Context(), SessionID{}, 2)
	if err != nil || len(page) != 2 {
		t.Fatal(page, err)
	}
	exclude := []SessionID{page[1].ID}
	m, err := e.newPublication(Publication{
		Groups: []string{"g", "g"}, Payload: []byte("x"), IsText: true,
		Exclude: exclude,
	})
	if err != nil {
		t.Fatal(err)
	}
	exclude[0] = page[0].ID
	if _, err := e.broker.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	in.want("x", "x")
	out.sync()
}

// TestSubmit: what one goroutine submits comes in its sequence.
func TestSubmit(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.RingSlots = 4 })
	w := open(t, addr)
	w.join("g")
	const n = 300
	for i := range n {
		if err := e.Submit(t.Context(), Publication{
			Groups: []string{"g"}, Payload: fmt.Append(nil, i),
			IsText: true,
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		w.want(fmt.Sprint(i))
	}
	if err := e.Submit(t.Context(), Publication{}); !errors.Is(err, ErrTooManyGroups) {
		t.Errorf("no group: %v", err)
	}
}
