package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// outage silences the key server while clients come: those with tokens of keys that the server has, and, among them,
// some with tokens of a key that it could only learn of there. Then the key server is back, with that key.
func outage(ctx context.Context, c *conditions) (o outcome, err error) {
	strangers := c.Coming / 10
	o.Scenario = "outage"
	o.Text = fmt.Sprintf("The key server takes requests and answers none, while %s clients come with tokens of keys "+
		"that are there, %d under way at a time, and %d with a key that is not", group(c.Coming), c.AtOnce, strangers)
	known, err := newPair("known")
	if err != nil {
		return o, err
	}
	unknown, err := newPair("unknown")
	if err != nil {
		return o, err
	}
	tokens, err := known.signMany(c.Coming, time.Hour)
	if err != nil {
		return o, err
	}
	strange, err := unknown.signMany(strangers, time.Hour)
	if err != nil {
		return o, err
	}
	published, err := startKeyServer(answerDelay, known)
	if err != nil {
		return o, err
	}
	defer published.stop()
	w, err := startWatched(ctx, c, func(i int) string { return tokens[i%c.Coming] }, "--token-jwks", published.address)
	if err != nil {
		return o, err
	}
	defer w.stop()
	come := func() []arrival {
		return arrive(ctx, w.address, c.Coming, c.AtOnce, patience, func(i int) string { return tokens[i] })
	}
	all := come()
	n, last := in(all)
	leave(all)
	o.want("with the key server: came in", n, c.Coming)
	o.count("with the key server: refused before", refusals(all))
	o.seconds("with the key server: until the last was in", last)
	time.Sleep(refetchAfter)
	w.live.phase()

	published.silent.Store(true)
	var waiting sync.WaitGroup
	var others []arrival
	waiting.Go(func() {
		others = arrive(ctx, w.address, strangers, strangers, 0, func(i int) string { return strange[i] })
	})
	all = come()
	n, last = in(all)
	o.want("without: came in", n, c.Coming)
	o.seconds("without: until the last was in", last)
	o.count("without: refused before", refusals(all))
	waiting.Wait()
	leave(all)
	m, _ := in(others)
	o.want("without, unknown key: came in", m, 0)
	sub := outcome{}
	sub.answers(others)
	for _, f := range sub.Figures {
		o.count("without, unknown key: "+f.Name, int(f.Value))
	}
	longest := time.Duration(0)
	for _, a := range others {
		longest = max(longest, a.waited)
	}
	o.seconds("without, unknown key: the last is answered after", longest)
	during := w.live.phase()

	published.silent.Store(false)
	if err := published.publish(known, unknown); err != nil {
		return o, err
	}
	others = arrive(ctx, w.address, strangers, strangers, patience, func(i int) string { return strange[i] })
	m, last = in(others)
	leave(others)
	o.want("with it again, unknown key: came in", m, strangers)
	o.seconds("with it again, unknown key: until the last was in", last)
	o.count("requests to the key server in all", int(published.asked.Load()))
	o.millis("live members' p99, calm", w.calm)
	o.millis("live members' p99, without the key server", during)
	o.judge(w.live)
	return o, nil
}
