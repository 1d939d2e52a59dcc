package loop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// TestGapInPlace: members in envelope mode hear of a gap exactly between the messages that its
// publisher has published around it, while others publish as well; a bare member is closed.
func TestGapInPlace(t *testing.T) {
	const n, others = 200, 3
	e, addr := start(t, func(o *Options) { o.RingSlots = 4 })
	sink := e.NewSink(SinkOptions{Name: "test", MaxMessages: n * (1 + others), MaxBytes: 1 << 22, Users: true})
	defer sink.Close()
	bare, apart := open(t, addr), open(t, addr)
	bare.join("g")
	apart.join("another")
	var told []*client
	for range 2 * len(e.reactors) {
		c := dial(t, "ws://"+addr, "groupcast.v1")
		c.send(`{"cmd":"add_group","group_id":"g","req_id":1}`)
		c.expect(`{"type":"ack","req_id":1}`)
		told = append(told, c)
	}
	var work errgroup.Group
	for p := range others {
		w := open(t, addr)
		work.Go(func() error {
			for i := range n {
				text := fmt.Sprintf(`{"cmd":"send_to_group","group_id":"g","message":"%d-%d"}`, p, i)
				if err := w.tryWrite(textFrame(text)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	work.Go(func() error {
		for i := range n {
			p := Publication{Groups: []string{"g"}, Payload: fmt.Append(nil, i), IsText: true}
			if err := e.Submit(t.Context(), p); err != nil {
				return err
			}
			if err := e.Gap(t.Context(), []string{"empty", "g", "g"}); err != nil {
				return err
			}
		}
		return nil
	})
	const gap = `{"type":"gap","group_id":"g","missed":"unknown"}`
	var first []string
	for i, c := range told {
		var all, own []string
		for range n * (2 + others) {
			text := c.next()
			all = append(all, text)
			if !strings.Contains(text, "-") {
				own = append(own, text)
			}
		}
		for k := range n {
			want := []string{fmt.Sprintf(`{"type":"message","group_id":"g","message":"%d"}`, k), gap}
			if got := own[2*k : 2*k+2]; !slices.Equal(got, want) {
				t.Fatalf("member %d got %q, want %q", i, got, want)
			}
		}
		if i == 0 {
			first = all
		} else if !slices.Equal(all, first) {
			t.Errorf("member %d has the gaps elsewhere than member 0", i)
		}
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	code, reason, texts := bare.untilClose()
	if code != protocol.StatusTryAgainLater || reason != "messages of a group were lost" || len(texts) == 0 {
		t.Errorf("closed with %d (%s) after %d messages", code, reason, len(texts))
	}
	bare.write(closeFrame(code, ""))
	bare.wantEOF()
	apart.sync()
	for i := range n * (1 + others) {
		if m := next(t, sink); m.Group != "g" || m.Order != uint64(i)+1 {
			t.Fatalf("the sink's message %d is for %q with order %d", i, m.Group, m.Order)
		}
	}
	s := sum(t, e)
	if int(s.Gaps) != n*len(told) || s.GapClosed != 1 || s.CloseTryLater != 1 {
		t.Errorf("%d told, %d closed, with 1013 %d", s.Gaps, s.GapClosed, s.CloseTryLater)
	}
}

// TestGapBeforeDrain: who is owed a gap when the engine drains gets it in front of the close.
func TestGapBeforeDrain(t *testing.T) {
	e, addr := start(t, nil)
	c := dial(t, "ws://"+addr, "groupcast.v1")
	c.send(`{"cmd":"add_group","group_id":"g","req_id":1}`)
	c.expect(`{"type":"ack","req_id":1}`)
	if err := e.Gap(t.Context(), []string{"g"}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- drain(e, 1001, 0) }()
	c.expect(`{"type":"gap","group_id":"g","missed":"unknown"}`)
	if _, _, err := c.c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("%v, want the close", err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := e.Gap(t.Context(), []string{"g"}); !errors.Is(err, ErrDraining) {
		t.Errorf("after a drain: %v", err)
	}
}

// TestGapLimits: the edges of what is taken; as many groups as there may be go through rings that
// hold a few.
func TestGapLimits(t *testing.T) {
	e, addr := start(t, func(o *Options) {
		o.MaxMessageBytes = 400
		o.RingBytes = o.MaxFrameBytes()
		o.RingSlots = 2
	})
	most := make([]string, MaxGapGroups)
	for i := range most {
		most[i] = strings.Repeat("x", 250) + fmt.Sprintf("%06d", i)
	}
	if n := order.NewGap(most).SizeWithGroups(); n < 10*e.options().RingBytes {
		t.Fatalf("%d bytes are no test for a ring of %d", n, e.options().RingBytes)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for name, c := range map[string]struct {
		groups []string
		want   error
	}{
		"none":      {nil, ErrTooManyGroups},
		"too many":  {append(slices.Clone(most), "g"), ErrTooManyGroups},
		"no name":   {[]string{"g", ""}, ErrBadGroup},
		"too long":  {[]string{"g", most[0] + "x"}, ErrBadGroup},
		"not UTF-8": {[]string{"g", "\xff"}, ErrBadGroup},
	} {
		if err := e.Gap(ctx, c.groups); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	w := open(t, addr)
	w.join(most[MaxGapGroups-1])
	w.sync()
	if err := e.Gap(ctx, most); err != nil {
		t.Fatal(err)
	}
	w.wantClose(protocol.StatusTryAgainLater)
}

// TestGapWaitsForRoom: it is refused as a publication is, where the door stays full.
func TestGapWaitsForRoom(t *testing.T) {
	e := startAlone(t, func(o *Options) { o.Loops, o.RingSlots = 1, 1 })
	hold, held := make(chan struct{}), make(chan struct{})
	if err := e.reactors[0].Do(func() { close(held); <-hold }); err != nil {
		t.Fatal(err)
	}
	<-held
	var err error
	for range 10 { // two rings of one, and what the broker holds in its hand
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err = e.Gap(ctx, []string{"g"})
		cancel()
		if err != nil {
			break
		}
	}
	close(hold)
	if !errors.Is(err, ErrOverloaded) {
		t.Errorf("%v, want %v", err, ErrOverloaded)
	}
}
