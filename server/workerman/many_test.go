package workerman

import (
	"fmt"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestManyConnections: thousands of subscribers, each of which gets everything
// in order, while others come and go.
func TestManyConnections(t *testing.T) {
	n := 2000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := (int(min(limit.Cur, 1<<20)) - 200) / 2; n > most { // both ends are ours
		t.Logf("the open-files limit allows %d connections instead of %d", most, n)
		n = most
	}
	if testing.Short() {
		n = min(n, 200)
	}
	const events = 20
	s := startServer(t, NewNode(), nil, nil)
	subs := make([]*peer, n)
	var dialing errgroup.Group
	dialing.SetLimit(16)
	for i := range subs {
		dialing.Go(func() (err error) {
			if subs[i], err = tryDial(t, s.addr); err != nil {
				return err
			}
			_, err = subs[i].conn.Write(frameOf(about("subscribe", "c", fmt.Sprintf("own-%d", i))))
			return err
		})
	}
	if err := dialing.Wait(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all subscriptions", func() bool { return s.Stats().Subscriptions == 2*n })
	if st := s.Stats(); st.Conns != n || st.Channels != n+1 {
		t.Errorf("%d connections, %d channels", st.Conns, st.Channels)
	}
	var work errgroup.Group
	stop := make(chan struct{})
	churn := errgroup.Group{}
	churn.Go(func() error {
		for {
			select {
			case <-stop:
				return nil
			default:
			}
			p, err := tryDial(t, s.addr)
			if err != nil {
				return err
			}
			if _, err := p.conn.Write(frameOf(about("subscribe", "c"))); err != nil {
				return err
			}
			_ = p.conn.Close()
		}
	})
	w := dial(t, s.addr)
	work.Go(func() error {
		for i := range events {
			w.send(with("publish", "c", fmt.Sprintf("i:%d;", i)))
		}
		return nil
	})
	readers := 8
	for r := range readers {
		work.Go(func() error {
			for i := r; i < n; i += readers {
				for k := range events {
					body, err := subs[i].tryNext()
					if err != nil || body != eventOf("c", fmt.Sprintf("i:%d;", k)) {
						return fmt.Errorf("subscriber %d, event %d: %q, %w", i, k, body, err)
					}
				}
			}
			return nil
		})
	}
	err := work.Wait()
	close(stop)
	if err := churn.Wait(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.EventsOut < uint64(n*events) || st.EventsDropped != 0 {
		t.Errorf("%+v", st)
	}
	for _, p := range subs {
		_ = p.conn.Close()
	}
	eventually(t, "all to be gone", func() bool {
		st := s.Stats()
		return st.Conns == 1 && st.Subscriptions == 0 && st.Channels == 0
	})
}
