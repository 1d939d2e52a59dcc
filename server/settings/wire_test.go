package settings

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The contract tells clients the defaults of limits: those of the table. Each row is
// found by how it begins; its second column has the settings' defaults in this order.
func TestContractHasTheDefaults(t *testing.T) {
	text, err := os.ReadFile("../../protocol/WIRE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ row, settings string }{
		{"message, all fragments together", "max-message"},
		{"frames of a fragmented message", "max-fragments"},
		{"group name", "max-group-name"},
		{"groups of a connection", "max-groups-per-session"},
		{"groups in all", "max-groups"},
		{"members of a group", "max-members"},
		{"what waits to be read by a client", "max-backlog"},
		{"commands per second and connection", "rate"},
		{"commands at once", "burst"},
		{"messages on their way to their place", "ring-slots ring-bytes"},
		{"silence until the server pings", "ping-after close-after"},
		{"request head", "max-head"},
		{"time for the handshake", "handshake-timeout"},
		{"time for the close handshake", "close-timeout"},
		{"bytes a second that a client acknowledges", "close-rate"},
		{"a close handshake altogether", "drain"},
		{"handshakes in flight", "max-handshakes"},
		{"connections of one IP address", "max-conns-per-ip"},
		{"connections of one token's user", "max-conns-per-user"},
		{"a token | ", "token-max-bytes"},
		{"tokens a second of one address", "token-failures"},
		{"connections being answered 503", "max-refusals"},

		{"connections | 4", "channel-max-conns"},
		{"frame | 1", "channel-max-frame"},
		{"half frames of all", "channel-max-partial"},
		{"nesting", "channel-max-depth"},
		{"name of a channel", "channel-max-name"},
		{"channels that one connection", "channel-max-channels"},
		{"the same of all connections", "channel-max-subscriptions"},
		{"waiting for one connection", "channel-send-buffer"},
		{"queues", "channel-max-queues"},
		{"messages / bytes in one queue", "channel-max-queue-messages channel-max-queue"},
		{"bytes in all queues", "channel-max-all-queues"},
		{"silence of a connection that has pinged", "channel-ping-timeout"},
		{"an event waits for room", "channel-publish-timeout"},
		{"on the way from the broker", "channel-sink-messages channel-sink-bytes"},

		{"items of a batch", "api-max-batch-items"},
		{"request line and headers", "api-max-head"},
		{"time for the head", "api-head-timeout api-read-timeout api-write-timeout api-idle-timeout"},
		{"waiting for room in the ring, a whole batch", "api-publish-timeout"},
		{"waiting for the loops' answers", "api-query-timeout"},
		{"requests being worked on", "api-max-requests"},
		{"listings being made", "api-max-listings"},
		{"connections, of all listeners together", "api-max-conns"},
		{"channels in one message", "channel-max-channels"},
		{"answers to `/metrics` being made", "api-max-scrapes"},
	} {
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(c.row) + `.*$`).FindString(string(text))
		columns := strings.Split(row, " | ")
		if len(columns) < 3 {
			t.Errorf("no row begins with %q", c.row)
			continue
		}
		rest := columns[1]
		for name := range strings.FieldsSeq(c.settings) {
			want := spoken(Find(name).Default())
			i := strings.Index(rest, want)
			if i < 0 {
				t.Errorf("%q: got %q, want %q for --%s", c.row, columns[1], want, name)
				continue
			}
			rest = rest[i+len(want):]
		}
	}
}

// spoken is a default as prose has it: 64 KiB, 1,024, 110 s.
func spoken(text string) string {
	if n, err := strconv.Atoi(text); err == nil {
		if n == 0 {
			return "unlimited"
		}
		return group(n)
	}
	if d, err := time.ParseDuration(text); err == nil {
		return strconv.Itoa(int(d.Seconds())) + " s"
	}
	return text[:len(text)-3] + " " + text[len(text)-3:] // 64KiB
}
