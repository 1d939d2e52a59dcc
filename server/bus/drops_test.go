package bus

import (
	"fmt"
	"testing"
	"time"

	"groupcast/server/bus/wire"
)

// TestDropsAreToldTogether: while messages are dropped with each that is taken, members are told at once of the
// first, then once for half of what may wait, and never later than that.
func TestDropsAreToldTogether(t *testing.T) {
	var d drops
	now := time.Now()
	const inbound, taken = 1000, 10_000
	told, behind := 0, 0
	for i := range taken {
		d.note(now)
		if d.due(inbound) {
			told, behind = told+1, 0
		}
		if i == 0 && told != 1 {
			t.Error("not told at once")
		}
		d.took()
		if behind++; behind > inbound/2 {
			t.Fatal("places behind what was dropped were seen before anybody was told")
		}
	}
	if want := taken / (inbound / 2); told != want {
		t.Errorf("told %d times of drops in %d messages, want %d", told, taken, want)
	}
}

// TestDropsAreToldSoon: where little comes behind what was dropped, and where little may wait.
func TestDropsAreToldSoon(t *testing.T) {
	var d drops
	now := time.Now()
	if d.late(now, 4) || d.due(4) {
		t.Error("told of nothing")
	}
	if d.note(now); !d.due(4) || d.due(4) {
		t.Error("the first: not told at once, once")
	}
	d.note(now)
	d.note(now.Add(time.Hour))
	if d.due(4) || d.late(now.Add(tellDropsAfter-1), 4) {
		t.Error("told before its time")
	}
	if !d.late(now.Add(tellDropsAfter), 4) || d.late(now.Add(2*tellDropsAfter), 4) {
		t.Error("not told in time, once")
	}
	d.took()
	d.took()
	if d.note(now); !d.due(1) {
		t.Error("behind as many as are waited for: not told at once")
	}
	if d.note(now); !d.due(1) {
		t.Error("with one that may wait: not told at once")
	}
}

// TestReaderTellsOfDrops: the reader counts what it takes, and looks at the time.
func TestReaderTellsOfDrops(t *testing.T) {
	t.Parallel()
	r := known(t)
	for range 2 {
		r.b.overflow.Store(true)
		r.look()
	}
	if !r.drops.there {
		t.Fatal("the second overflow is told at once")
	}
	rest := r.drops.rest
	r.in("g", wire.Message{Payload: []byte("x"), IsText: true})
	r.b.running.Go(r.run)
	r.next()
	r.b.cancel()
	r.b.running.Wait()
	if r.drops.rest != rest-1 {
		t.Errorf("%d are to be taken, were %d", r.drops.rest, rest)
	}
	if r.tick(r.drops.since.Add(tellDropsAfter)); r.drops.there {
		t.Error("the second overflow is not told in time")
	}
}

// TestOverflowIsTold: where more comes than can be published, members of groups that may have missed something are
// told, other nodes' groups and foreign publishers' alike.
func TestOverflowIsTold(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	n := startNode(t, "a", one(s), func(o *Options) { o.Inbound = 256 })
	n.joinedBy(t, 0)
	loud, quiet := dialNode(t, n), dialNode(t, n, envelope)
	loud.join("loud")
	quiet.join("quiet")
	go func() {
		for {
			select {
			case <-loud.came:
			case <-loud.end:
				return
			}
		}
	}()
	other := foreign(t, s)
	if err := other.Publish("groupcast.g.quiet", []byte("before")); err != nil {
		t.Fatal(err)
	}
	quiet.want(messageOf("quiet", "before"))
	eventually(t, "an overflow", func() bool {
		for range 10_000 {
			if err := other.Publish("groupcast.g.loud", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		return other.Flush() == nil && n.Stats().SlowConsumer.Load() > 0
	})
	quiet.want(fmt.Sprintf(gapOf, "quiet"))
}
