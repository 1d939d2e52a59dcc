package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// refetchAfter is how soon a server asks its key server again because of a kid that it does not know.
const refetchAfter = 5 * time.Second

// answerDelay is what a key server takes to answer.
const answerDelay = 200 * time.Millisecond

// rotation publishes a new key, and at once clients come, half of them with tokens of it; then once more, at a moment
// when the server has asked for keys just before.
func rotation(ctx context.Context, c *conditions) (o outcome, err error) {
	o.Scenario = "rotation"
	o.Text = fmt.Sprintf("A key is published and %s clients come at once, %d under way at a time, every other one "+
		"with a token of it; then one more key, at once. The key server takes %d ms; a client that is refused "+
		"tries again after %d ms",
		group(c.Coming), c.AtOnce, answerDelay.Milliseconds(), retryAfter.Milliseconds())
	keys := make([]key, 3)
	for i := range keys {
		if keys[i], err = newPair("key-" + strconv.Itoa(i)); err != nil {
			return o, err
		}
	}
	tokens := make([][]string, len(keys))
	for i, k := range keys {
		if tokens[i], err = k.signMany(c.Coming, time.Hour); err != nil {
			return o, err
		}
	}
	published, err := startKeyServer(answerDelay, keys[0])
	if err != nil {
		return o, err
	}
	defer published.stop()
	w, err := startWatched(ctx, c, func(i int) string { return tokens[0][i%c.Coming] }, "--token-jwks", published.address)
	if err != nil {
		return o, err
	}
	defer w.stop()
	for n, part := range []string{"first key", "one more, at once"} {
		if err := published.publish(keys[:n+2]...); err != nil {
			return o, err
		}
		asked := published.asked.Load()
		all := arrive(ctx, w.address, c.Coming, c.AtOnce, patience, func(i int) string { return tokens[n+i%2][i] })
		came, last := in(all)
		at1st := 0
		for _, a := range all {
			if a.conn != nil && len(a.refused) == 0 {
				at1st++
			}
		}
		o.want(part+": came in", came, c.Coming)
		o.count(part+": of these at the first try", at1st)
		o.seconds(part+": until the last was in", last)
		o.count(part+": requests to the key server", int(published.asked.Load()-asked))
		sub := outcome{}
		sub.answers(all)
		for _, f := range sub.Figures {
			o.count(part+": "+f.Name, int(f.Value))
		}
		o.Wrong = append(o.Wrong, sub.Wrong...)
		leave(all)
	}
	o.millis("live members' p99, calm", w.calm)
	o.millis("live members' p99, meanwhile", w.live.phase())
	o.judge(w.live)
	return o, nil
}
