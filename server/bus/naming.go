package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"groupcast/loop"
	"groupcast/server/bus/wire"
)

// nameWait is how long another node of this one's name has to answer. Where nobody listens, as
// after kill -9, NATS says so at once.
const nameWait = 500 * time.Millisecond

// nameAgain is how often a name that another has is asked for.
const nameAgain = 2 * time.Second

// firstName takes the name, where NATS is there already.
func (b *Bus) firstName() error {
	if !b.awaitConnection() {
		return nil // keepName goes on
	}
	err := b.takeName()
	if errors.Is(err, ErrNameTaken) {
		return err
	}
	if err == nil {
		b.setNamed(true)
	}
	return nil
}

// startWait is how long a start waits for NATS.
const startWait = 2 * time.Second

// awaitConnection reports whether the connection came within startWait.
func (b *Bus) awaitConnection() bool {
	timer := time.NewTimer(startWait)
	defer timer.Stop()
	select {
	case <-b.first:
		return true
	case <-timer.C:
	case <-b.stop.Done():
	}
	return false
}

// awaitCoverage waits, where this node is in the cluster, until the loops know so: the first who join are not
// to be told that it is away.
func (b *Bus) awaitCoverage() {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for began := time.Now(); b.named.Load() && b.connected.Load() && time.Since(began) < startWait; {
		if b.engine.Coverage() != loop.CoverageAway {
			return
		}
		select {
		case <-ticker.C:
		case <-b.stop.Done():
			return
		}
	}
}

// keepName asks for the name while this node does not have it.
func (b *Bus) keepName() {
	ticker := time.NewTicker(nameAgain)
	defer ticker.Stop()
	for {
		if !b.named.Load() && b.connected.Load() {
			switch err := b.takeName(); {
			case err == nil:
				b.setNamed(true)
			case errors.Is(err, ErrNameTaken):
				b.nameTaken.Store(true)
				b.ration.Warn("bus: another node has this one's name: this one stays out of the cluster", "err", err)
			default:
				b.failed(err)
			}
		}
		select {
		case <-ticker.C:
		case <-b.wantName:
		case <-b.stop.Done():
			return
		}
	}
}

// takeName asks whether another node answers to the name; it is free where none does. This one listens
// first, so that of two that ask in the same moment one at least hears the other.
//
// It is called by the start, and then by keepName alone.
func (b *Bus) takeName() error {
	conn := b.conn.Load()
	if b.listening.Load() != conn {
		if _, err := conn.ChanSubscribe(b.subjects.own, b.in); err != nil {
			return err
		}
		b.listening.Store(conn)
	}
	c := wire.Control{Node: b.opt.Node, Epoch: b.epoch, Who: &wire.Who{}}
	data, err := c.Append(nil)
	if err != nil {
		return err
	}
	answer, err := conn.RequestMsg(&nats.Msg{Subject: b.subjects.own, Data: data}, nameWait)
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrTimeout):
		return nil
	case err != nil:
		return err
	}
	var who wire.Here
	if got, bad := wire.ReadControl(answer.Data); bad == nil && got.Here != nil {
		who = *got.Here
	}
	return fmt.Errorf("%w: %s, at host %s with process id %d: give this one another --nats-node", ErrNameTaken,
		b.opt.Node, quoted(who.Host), who.PID)
}

func quoted(text string) string {
	out, _ := json.Marshal(text) // of a string it never fails
	return string(out)
}

// here tells an asker the process that has the name: this one.
func (b *Bus) here() *wire.Here {
	return &wire.Here{Host: b.info.Host, PID: b.info.PID, Generation: b.generation.Load()}
}

// setNamed is whether the name is this node's.
func (b *Bus) setNamed(is bool) {
	b.named.Store(is)
	if is {
		b.nameTaken.Store(false)
	}
	b.turn()
}

// yields reports whether this node gives the name up to another one that has it as well: both had
// been parted, or began in the same moment. The one that was counted out more often goes.
func (b *Bus) yields(c *wire.Control) bool {
	own := b.generation.Load()
	if own != c.Heartbeat.Generation {
		return own > c.Heartbeat.Generation
	}
	return b.epoch > c.Epoch
}

// namesake takes a message of another process under this node's name: one that asks for the name, or one that
// has it, by a mistake or because a partition had hidden it.
func (b *Bus) namesake(c *wire.Control, reply string) {
	if c.Epoch == b.epoch {
		return
	}
	switch {
	case c.Who != nil && reply != "":
		// Of two that ask at once, the one with the lower epoch stays.
		if b.named.Load() || b.epoch < c.Epoch {
			b.want(request{subject: reply, control: wire.Control{Here: b.here()}, early: true})
		}
	case c.Heartbeat == nil:
	case c.Heartbeat.Leaving:
		b.askName()
	case b.named.Load() && b.yields(c):
		b.taken(c.Heartbeat.Host, c.Heartbeat.PID)
	}
}

// askName has the name asked for, unless this node has it.
func (b *Bus) askName() {
	select {
	case b.wantName <- struct{}{}:
	default:
	}
}

// taken leaves the cluster, where another node turns out to have the name. This one goes on serving its own
// sessions, and asks again.
func (b *Bus) taken(host string, pid int) {
	b.ration.Warn("bus: another node has this one's name: this one leaves the cluster", "host", host, "pid", pid)
	b.count.NamesTaken.Add(1)
	b.nameTaken.Store(true)
	b.setNamed(false)
}
