package loop

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestOrder: many publishers, several groups, members of some of them. There
// is one order, and what each member sees is that order without the groups it
// is not in; the publishers' own copies too, each followed by its ack.
func TestOrder(t *testing.T) {
	for _, test := range []struct {
		loops, slots int
		network      string
	}{
		{1, 1024, "tcp"},
		{2, 1024, "tcp"},
		{2, 1024, "unix"},
		{2, 1, "tcp"},
		{4, 2, "tcp"},
	} {
		t.Run(fmt.Sprintf("%s/loops=%d/slots=%d", test.network, test.loops, test.slots), func(t *testing.T) {
			e, addr := start(t, func(o *Options) { o.Loops, o.RingSlots = test.loops, test.slots })
			if test.network == "unix" {
				addr = serve(t, e, "unix", filepath.Join(t.TempDir(), "s"))
			}
			testOrder(t, addr)
		})
	}
}

func testOrder(t *testing.T, addr string) {
	t.Helper()
	const publishers, each = 6, 240
	groups := []string{"a", "b", "c"}
	sets := []string{"abc", "a", "a", "b", "ab", "ab", "bc", "abc", "c"}
	members := make([]*wire, len(sets))
	for i, set := range sets {
		members[i] = open(t, addr)
		members[i].join(strings.Split(set, "")...)
	}
	senders := make([]*wire, publishers)
	for i := range senders {
		senders[i] = open(t, addr)
		senders[i].join(groups...)
	}

	var work errgroup.Group
	heard := make([][]string, len(members))
	for i, w := range members {
		work.Go(func() (err error) {
			heard[i], err = collect(w, publishers*each*len(sets[i])/len(groups))
			return err
		})
	}
	said := make([][]string, len(senders))
	for i, w := range senders {
		work.Go(func() error { return publishBursts(w, i, each, groups) })
		work.Go(func() (err error) {
			said[i], err = collect(w, publishers*each+each)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}

	order := heard[0]
	if len(order) != publishers*each {
		t.Fatalf("%d messages in order, want %d", len(order), publishers*each)
	}
	checkPublishers(t, order, publishers, each)
	for i, set := range sets {
		want := slices.DeleteFunc(slices.Clone(order), func(text string) bool { return !strings.Contains(set, text[:1]) })
		if !slices.Equal(heard[i], want) {
			t.Errorf("member %d of %s does not agree with the order", i, set)
		}
	}
	for i, texts := range said {
		checkAcks(t, i, texts, order)
	}
	for _, w := range slices.Concat(members, senders) {
		w.sync() // nothing more came
	}
}

// publishBursts sends messages of the form group:publisher:number, several in
// one segment, each with its number as req_id.
func publishBursts(w *wire, publisher, n int, groups []string) error {
	for i := 0; i < n; {
		var burst []byte
		for range min(n-i, 1+rand.IntN(40)) {
			group := groups[i%len(groups)]
			burst = append(burst, textFrame(fmt.Sprintf(
				`{"cmd":"send_to_group","group_id":%q,"message":"%s:%d:%d","req_id":%d}`, group, group, publisher, i, i))...)
			i++
		}
		if err := w.tryWrite(burst); err != nil {
			return err
		}
	}
	return nil
}

func collect(w *wire, n int) (texts []string, err error) {
	for len(texts) < n {
		text, err := w.tryNext()
		if err != nil {
			return texts, fmt.Errorf("after %d of %d messages: %w", len(texts), n, err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// checkPublishers checks that each publisher's numbers stand in their order.
func checkPublishers(t *testing.T, order []string, publishers, each int) {
	t.Helper()
	next := make([]int, publishers)
	for _, text := range order {
		var publisher, number int
		if _, err := fmt.Sscanf(text[2:], "%d:%d", &publisher, &number); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if number != next[publisher] {
			t.Fatalf("publisher %d: %d came, want %d", publisher, number, next[publisher])
		}
		next[publisher]++
	}
	for publisher, n := range next {
		if n != each {
			t.Errorf("publisher %d: %d messages, want %d", publisher, n, each)
		}
	}
}

// checkAcks checks what a publisher heard that is in all groups: the order,
// and between it the acks of its own messages, each behind its message.
func checkAcks(t *testing.T, publisher int, texts, order []string) {
	t.Helper()
	own, acks := 0, 0
	var messages []string
	for _, text := range texts {
		if text[0] == '{' {
			if text != ackOf(fmt.Sprint(acks)) {
				t.Fatalf("publisher %d: %s, want the ack of %d", publisher, text, acks)
			}
			if acks++; acks > own {
				t.Fatalf("publisher %d: ack of %d before its own copy", publisher, acks-1)
			}
			continue
		}
		messages = append(messages, text)
		if strings.HasPrefix(text[2:], fmt.Sprintf("%d:", publisher)) {
			own++
		}
	}
	if !slices.Equal(messages, order) {
		t.Errorf("publisher %d does not agree with the order", publisher)
	}
}

// TestJoinAndLeaveUnderFire: from the ack of a join on, a member misses
// nothing, and after the ack of a leave nothing comes.
func TestJoinAndLeaveUnderFire(t *testing.T) {
	_, addr := start(t, func(o *Options) { o.Loops = 4 })
	members := []*wire{open(t, addr), open(t, addr), open(t, addr), open(t, addr)}
	publisher := open(t, addr)
	stop := make(chan struct{})
	var firing, work errgroup.Group
	firing.Go(func() error {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return nil
			default:
			}
			err := publisher.tryWrite(textFrame(fmt.Sprintf(`{"cmd":"send_to_group","group_id":"g","message":"%d","req_id":0}`,
				i)))
			if err != nil {
				return err
			}
			if _, err := publisher.tryNext(); err != nil {
				return err
			}
		}
	})
	for _, w := range members {
		work.Go(func() error {
			for range 40 {
				if err := joinAndLeave(w); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := work.Wait()
	close(stop)
	if err2 := firing.Wait(); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for _, w := range members {
		w.sync()
	}
}

func joinAndLeave(w *wire) error {
	const command = `{"cmd":"%s","group_id":"g","req_id":"%s"}`
	_ = w.tryWrite(textFrame(fmt.Sprintf(command, "add_group", "join")))
	in, seen, last := false, 0, -1
	for {
		text, err := w.tryNext()
		switch {
		case err != nil:
			return err
		case text == ackOf(`"join"`):
			in = true
			continue
		case text == ackOf(`"leave"`):
			// Nothing may stand between this and the next answer.
			_ = w.tryWrite(textFrame(`{"cmd":"ping","req_id":"after"}`))
			text, err := w.tryNext()
			if err == nil && text != ackOf(`"after"`) {
				err = fmt.Errorf("%q after the leave", text)
			}
			return err
		case !in:
			return fmt.Errorf("%q before the join's ack", text)
		}
		var n int
		if _, err := fmt.Sscan(text, &n); err != nil {
			return err
		}
		if seen > 0 && n != last+1 {
			return fmt.Errorf("%d came after %d", n, last)
		}
		last = n
		if seen++; seen == 10 {
			_ = w.tryWrite(textFrame(fmt.Sprintf(command, "leave_group", "leave")))
		}
	}
}
