package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// fragmented is one message in fragments of so many bytes.
func fragmented(first sending, payload string, size int) (all []sending) {
	for at := 0; at < len(payload); at += size {
		all = append(all, more(payload[at:min(at+size, len(payload))]))
	}
	all[0].first = first.first &^ fin
	all[len(all)-1].first |= fin
	return all
}

// 9 and 10: large messages, whole and in fragments, and a thousand messages one after the
// other. Segments are whole here: runChapter's ways are for what is smaller.
func TestLargeMessages(t *testing.T) {
	part := 1 // of Autobahn's sizes
	if raceEnabled {
		part = 16
	}
	const pattern = "BAsd7&jh23\xc3\xa4--"
	patterns := func(size int) string { return strings.Repeat(pattern, size/part/len(pattern)) }
	kinds := []struct {
		first sending
		back  func(string) received
		name  string
	}{{text(""), message, "text"}, {binaries(""), binaryMessage, "binary"}}
	whole := func(s sending, payload string) []sending { s.payload = payload; return []sending{s} }
	var cases []example
	for _, kind := range kinds {
		for i, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20} {
			payload := patterns(size)
			name := fmt.Sprintf("9.1.%d and 9.2.%[1]d %s of %d KiB", i+1, kind.name, size>>10)
			cases = append(cases, example{name, whole(kind.first, payload), []received{kind.back(payload)}, 0})
		}
		payload := patterns(4 << 20)
		for i, size := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20} {
			name := fmt.Sprintf("9.3.%d and 9.4.%[1]d %s of 4 MiB in fragments of %d", i+1, kind.name, size)
			cases = append(cases, example{name, fragmented(kind.first, payload, size), []received{kind.back(payload)}, 0})
		}
		for i, size := range []int{0, 16, 64, 256, 1 << 10, 4 << 10} {
			payload := strings.Repeat("*", size)
			name := fmt.Sprintf("9.7.%d and 9.8.%[1]d a thousand %s messages of %d", i+1, kind.name, size)
			cases = append(cases, example{
				name, slices.Repeat(whole(kind.first, payload), 1000), slices.Repeat([]received{kind.back(payload)}, 1000), 0,
			})
		}
	}
	payload := strings.Repeat("*", 64<<10)
	cases = append(cases, example{
		"10.1.1 64 KiB in fragments of 1,300", fragmented(text(""), payload, 1300), []received{message(payload)}, 0,
	})
	for _, target := range []*target{startProduct(t, largeLimits), startEcho(t)} {
		for road, address := range map[string]string{"TCP": target.plain, "TLS": target.secured} {
			secure := target.client
			if road == "TCP" {
				secure = nil
			}
			t.Run(target.name+"/"+road, func(t *testing.T) {
				for i, e := range cases {
					t.Run(e.name, func(t *testing.T) {
						p := connect(t, address, secure)
						e.run(p, target.greet(p, i), 1<<30)
					})
				}
				// 9.5 and 9.6: a message of 1 MiB in segments.
				for i, segment := range []int{64, 128, 256, 512, 1024, 2048} {
					t.Run(fmt.Sprintf("9.5.%d and 9.6.%[1]d 1 MiB in segments of %d", i+1, segment), func(t *testing.T) {
						payload := patterns(1 << 20)
						p := connect(t, address, secure)
						e := example{sends: []sending{text(payload)}, back: []received{message(payload)}}
						e.run(p, target.greet(p, i), segment)
					})
				}
			})
		}
		target.settles(t, 0)
	}
}

// What is over the contract's limits is refused as soon as its header says so; what is at
// them is not. These are the limits of a server that nobody has set up.
func TestTooLarge(t *testing.T) {
	const limit, fragments = 64 << 10, 1024
	most := strings.Repeat("*", limit-commandOverhead)
	over := func(first byte, length uint64) sending { return raw(header(first, length, masks[0])...) }
	const (
		final = fin | byte(ws.OpText)
		more1 = byte(ws.OpContinuation)
	)
	ends := func(n int) []sending { // a message of so many fragments
		return slices.Concat([]sending{open("x")}, slices.Repeat([]sending{more("")}, n-2), []sending{last("")})
	}
	cases := []example{
		{"at the limit", []sending{text(most)}, []received{message(most)}, 0},
		{"at the limit, binary", []sending{binaries(most)}, []received{message(most)}, 0},
		{"at the limit in fragments", fragmented(text(""), most, 100), []received{message(most)}, 0},
		{"one byte more", []sending{over(final, limit+1)}, nil, 1009},
		{"one byte more, binary", []sending{over(fin|byte(ws.OpBinary), limit+1)}, nil, 1009},
		{"one byte more, without a mask yet", []sending{raw(header(final, limit+1, masks[0])[:10]...)}, nil, 1009},
		{"one byte more in fragments", []sending{open(most), over(more1, uint64(commandOverhead))}, nil, 1009},
		{"one byte more in the last fragment", []sending{open(most), over(fin|more1, uint64(commandOverhead))}, nil, 1009},
		{"4 GiB", []sending{over(final, 1<<32)}, nil, 1009},
		{"exabytes", []sending{over(final, 1<<62)}, nil, 1009},
		{"the largest number", []sending{over(final, 1<<63-1)}, nil, 1009},
		{"the largest number in a fragment", []sending{open("x"), over(more1, 1<<63-1)}, nil, 1009},
		{"as many fragments as may be", ends(fragments), []received{message("x")}, 0},
		{"one fragment more", ends(fragments + 1), nil, 1008},
		{"control frames do not count", slices.Concat(
			[]sending{open("x")}, slices.Repeat([]sending{pong(""), more("")}, fragments-2), []sending{last("")},
		), []received{message("x")}, 0},
	}
	startProduct(t, nil).run(t, cases, ways)
}
