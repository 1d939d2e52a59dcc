package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

var onPartition = []*scenario{
	{
		name: "partition", bound: 90 * time.Second, do: parted(partition),
		does: "two networks with a NATS server and nodes each hear nothing of each other for a while, and then do again",
	},
	{
		name: "partition-name", bound: 90 * time.Second, do: parted(partitionOfName),
		does: "two networks that hear nothing of each other have a node of one name each, and then do hear: one yields",
	},
}

// short makes NATS servers notice within 3 s that a route is dead, so that what is sent over it is lost: TCP alone
// would bring it later.
const short = "ping_interval: \"1s\"\nping_max: 2\n"

// parted makes a scenario between two networks.
func parted(do func(context.Context, *run, *sides) error) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		if !r.inside {
			return withNamespace(ctx, r)
		}
		s, err := makeSides(r.dir)
		if s != nil {
			defer s.stop()
		}
		if err != nil {
			return err
		}
		return do(ctx, r, s)
	}
}

// partition: n0 and n2 are on one side, n1 is on the other.
func partition(ctx context.Context, r *run, s *sides) error {
	_, w, err := begin(ctx, r, plan{nats: 2, hosts: hosts, wrap: s.in, config: short}, load{})
	if err != nil {
		return err
	}
	defer w.stop()
	if _, err := w.awaitTotal(ctx, wholeTotal, patience, 0, 1, 2); err != nil {
		return err
	}
	if err := w.traffic(ctx); err != nil {
		return err
	}
	if err := s.part(); err != nil {
		return err
	}
	began := time.Now()
	gone, err := w.awaitTotal(ctx, 4, lease+3*time.Second, 0, 2)
	if err != nil {
		return err
	}
	if _, err := w.awaitTotal(ctx, 2, lease+3*time.Second, 1); err != nil {
		return err
	}
	r.figure("each side counts its own after %s", ms(gone))
	if _, err := w.heal(ctx, 0, 2); err != nil {
		return err
	}
	if _, err := w.heal(ctx, 1); err != nil {
		return err
	}
	if err := sleep(ctx, r.outage-time.Since(began)); err != nil {
		return err
	}
	r.pinged(w)
	if err := s.join(); err != nil {
		return err
	}
	took, err := w.heal(ctx, 0, 1, 2)
	if err != nil {
		return err
	}
	r.figure("messages cross again %s behind the partition of %s", ms(took), ms(r.outage))
	if _, err := w.awaitTotal(ctx, wholeTotal, patience, 0, 1, 2); err != nil {
		return err
	}
	v := w.settle()
	r.judged(v)
	r.check(v.missed > 0, "nothing was missed: the fault did not bite")
	r.toldNothing(w, "members of groups that did not cross", quiet)
	return nil
}

// partitionOfName: both sides have a node of one name from the beginning.
func partitionOfName(ctx context.Context, r *run, s *sides) error {
	c, w, err := begin(ctx, r, plan{
		nats: 2, hosts: hosts, wrap: s.in, config: short, names: []string{"same", "same", "other"},
		before: func(*cluster) error { return s.part() }, apart: true,
	}, load{})
	if err != nil {
		return err
	}
	defer w.stop()
	w.book.parted = true // each side's joins know nothing of the other side
	if err := sleep(ctx, time.Second); err != nil {
		return err
	}
	pings(w.pingers)
	if err := s.join(); err != nil {
		return err
	}
	began := time.Now()
	const taken = "another node of the cluster has the name same"
	reason := func(i int) string { return c.notReady(ctx, c.nodes[i]) }
	err = await(ctx, "one of the two yields", patience, func() bool { return reason(0) == taken || reason(1) == taken })
	if err != nil {
		return err
	}
	took := time.Since(began)
	yielded := 0
	if reason(1) == taken {
		yielded = 1
	}
	stays := 1 - yielded
	r.figure("one of two of a name yields after %s", ms(took))
	if _, err := w.awaitTotal(ctx, 4, patience, stays, 2); err != nil {
		return err
	}
	if _, err := w.heal(ctx, stays, 2); err != nil {
		return err
	}
	if _, err := w.heal(ctx, yielded); err != nil { // it serves its own
		return err
	}
	r.check(reason(stays) == "" && reason(yielded) == taken, "readyz: %q and %q", reason(stays), reason(yielded))
	r.pinged(w)
	// The other one goes: the name is free.
	began = time.Now()
	r.check(c.nodes[stays].Stop(patience), "a node did not end")
	err = await(ctx, "the node that had yielded takes the name", patience, func() bool { return reason(yielded) == "" })
	if err != nil {
		return err
	}
	r.figure("it has the name %s after the other begins to go", ms(time.Since(began)))
	if _, err := w.heal(ctx, yielded, 2); err != nil {
		return err
	}
	if _, err := w.awaitTotal(ctx, 4, patience, yielded, 2); err != nil {
		return err
	}
	r.judged(w.settle())
	return nil
}

// notReady is why a node is not ready, "" if it is.
func (c *cluster) notReady(ctx context.Context, n *node) string {
	status, body, err := c.get(ctx, n, "/readyz")
	if err != nil {
		return err.Error()
	}
	if status == http.StatusOK {
		return ""
	}
	var problem struct{ Detail string }
	if json.Unmarshal([]byte(body), &problem) != nil || problem.Detail == "" {
		return body
	}
	return problem.Detail
}
