package loop

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"

	"groupcast/loop/leak"
)

// TestChurn: many clients connect, join, send, leave, misbehave and end in
// every way, for a bounded number of rounds, while two members look on.
// Nothing is left of them: no session, group, membership, descriptor or
// goroutine; and those who looked on agree.
func TestChurn(t *testing.T) {
	const clients, rounds = 16, 25
	left := leak.Watch()
	t.Run("churn", func(t *testing.T) {
		e, addr := start(t, func(o *Options) {
			o.Loops = 2
			o.RingSlots = 8
			o.MaxMembers = 1000
			o.MaxConnsPerIP = 1000
		})
		onlookers := []*wire{open(t, addr), open(t, addr)}
		for _, w := range onlookers {
			w.join("0")
		}
		var looking errgroup.Group
		heard := make([][]string, len(onlookers))
		for i, w := range onlookers {
			looking.Go(func() (err error) {
				heard[i], err = readToClose(w)
				return err
			})
		}
		var work errgroup.Group
		var done atomic.Int64
		for i := range clients {
			work.Go(func() error {
				random := rand.New(rand.NewPCG(uint64(i), 1))
				for range rounds {
					if err := churn(addr, random); err != nil {
						return err
					}
					done.Add(1)
				}
				return nil
			})
		}
		if err := work.Wait(); err != nil {
			t.Fatal(err)
		}
		waitStats(t, e, "only the onlookers are left", func(s ReactorStats) bool {
			return s.Sessions == 2 && s.Groups <= 2 && s.Memberships == 2
		})
		if done.Load() != clients*rounds {
			t.Errorf("%d rounds, want %d", done.Load(), clients*rounds)
		}
		if err := drain(e, 1001, 0); err != nil {
			t.Fatal(err)
		}
		if err := looking.Wait(); err != nil {
			t.Fatal(err)
		}
		if len(heard[0]) == 0 || fmt.Sprint(heard[0]) != fmt.Sprint(heard[1]) {
			t.Errorf("the onlookers disagree: %d and %d messages", len(heard[0]), len(heard[1]))
		}
	})
	if err := left(); err != nil {
		t.Error(err)
	}
}

// churn is the life of one client.
func churn(addr string, random *rand.Rand) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	w := &wire{c: c, in: bufio.NewReader(c)}
	if random.IntN(10) == 0 { // never gets as far as a session
		_ = w.tryWrite([]byte(upgradeHead)[:random.IntN(len(upgradeHead))])
		return nil
	}
	if err := w.tryWrite([]byte(upgradeHead)); err != nil {
		return err
	}
	if status, head, err := w.tryResponse(); err != nil || status != 101 {
		return fmt.Errorf("response %q: %w", head, err)
	}
	for range random.IntN(30) {
		command := []string{"add_group", "leave_group", "send_to_group", "send_to_group"}[random.IntN(4)]
		text := fmt.Sprintf(`{"cmd":%q,"group_id":%d,"message":"%d"}`, command, random.IntN(12), random.Int())
		if err := w.tryWrite(textFrame(text)); err != nil {
			return err
		}
		if random.IntN(4) == 0 { // wait for what was said
			if err := w.trySync(); err != nil {
				return err
			}
		}
	}
	switch random.IntN(6) {
	case 0:
		if err := w.tryWrite(closeFrame(1000, "")); err != nil {
			return err
		}
		for {
			if op, _, err := w.tryRead(); err != nil || op == ws.OpClose {
				return err
			}
		}
	case 1:
		return c.(*net.TCPConn).SetLinger(0)
	case 2:
		return c.(*net.TCPConn).CloseWrite()
	case 3:
		return w.tryWrite([]byte{0xff, 0xff})
	case 4:
		return w.tryWrite(frameHeader(openText, 1000))
	}
	return nil
}

// trySync waits for the answer to a ping, past messages.
func (w *wire) trySync() error {
	if err := w.tryWrite(textFrame(`{"cmd":"ping","req_id":"sync"}`)); err != nil {
		return err
	}
	for {
		text, err := w.tryNext()
		if err != nil {
			return errors.Join(errors.New("waiting for an answer"), err)
		}
		if text == ackOf(`"sync"`) {
			return nil
		}
	}
}
