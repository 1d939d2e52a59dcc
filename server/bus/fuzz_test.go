package bus

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"groupcast/server/bus/wire"
)

// FuzzIncoming: whatever comes from NATS, the reader goes on, and answers or counts it.
func FuzzIncoming(f *testing.F) {
	n := startNode(f, "a", nil, func(o *Options) { o.Servers = []string{"nats://" + nobody(f)} })
	f.Add("g.g", "", "hello", "")
	f.Add("g.g", "Groupcast-Mode: json\nGroupcast-Origin: b 0000000000000001 7", `{"a":1}`, "inbox")
	f.Add("u.7", "Groupcast-Exclude: 0-1f-3,a.00000000.0-1-1", "x", "")
	f.Add("m", "Groupcast-Groups: a,b\nGroupcast-Users: 7", "x", "inbox")
	f.Add("n.all", "", `{"v":1,"type":"heartbeat","node":"b","epoch":"0000000000000001","place":9}`, "")
	f.Add("n.all", "", `{"v":1,"type":"notice","node":"b","epoch":"0000000000000001","all":true,"nobody":true,"after":0,"upto":9}`, "")
	f.Add("n.a", "", `{"v":1,"type":"range","node":"b","epoch":"0000000000000001","id":1,"after":0,"upto":18446744073709551615}`, "")
	f.Add("n.a", "", `{"v":1,"type":"members","node":"b","epoch":"0000000000000001","id":1,"group":"g","limit":1000}`, "")
	f.Add("n.a", "", `{"v":1,"type":"who","node":"a","epoch":"0000000000000001"}`, "inbox")
	subjects := n.subjects
	f.Fuzz(func(t *testing.T, to, headers, payload, reply string) {
		m := &nats.Msg{Subject: "groupcast." + to, Reply: reply, Data: []byte(payload), Sub: &nats.Subscription{}}
		switch {
		case strings.HasPrefix(to, "g."):
			m.Sub.Subject = subjects.groups
		case strings.HasPrefix(to, "u."):
			m.Sub.Subject = subjects.users
		default:
			m.Sub.Subject = m.Subject
		}
		for line := range strings.SplitSeq(headers, "\n") {
			if key, value, ok := strings.Cut(line, ": "); ok {
				if m.Header == nil {
					m.Header = nats.Header{}
				}
				m.Header[key] = append(m.Header[key], value)
			}
		}
		r := newReader(n.Bus)
		r.back = true
		beat := wire.Control{
			Node: "b", Epoch: 1, Version: wire.Version, Type: "heartbeat", Heartbeat: &wire.Heartbeat{Place: 1, Program: "x"},
		}
		data, err := beat.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		r.take(&nats.Msg{Subject: subjects.all, Data: data, Sub: &nats.Subscription{Subject: subjects.all}})
		before := n.count.In.Load()
		for range 2 {
			r.take(m)
		}
		r.tick(n.born)
		if n.count.In.Load() < before+2 || len(r.peers) > 2 {
			t.Errorf("%d messages came, %d nodes", n.count.In.Load()-before, len(r.peers))
		}
	})
}
