package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"groupcast/server/control"
)

// queues lists the queues of the Channel server, or throws the messages of some away.
func queues(ctx context.Context, flags queuesFlags, stdout io.Writer) error {
	client, _, err := flags.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	for _, name := range flags.Purge {
		n, err := client.PurgeQueue(ctx, name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(stdout, "%s: %s thrown away\n", printable(name), counted(n, "message")); err != nil {
			return err
		}
	}
	if len(flags.Purge) > 0 {
		return nil
	}
	list, err := client.Queues(ctx, flags.Limit)
	if err != nil {
		return err
	}
	text := queueTable(paperOf(stdout), list)
	if flags.JSON {
		text = ""
		for _, q := range list.Queues {
			line, err := json.Marshal(q)
			if err != nil {
				return err
			}
			text += jsonLine(line)
		}
	}
	_, err = io.WriteString(stdout, text)
	return err
}

// counted is "1 message" or "2 messages".
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}

var queueColumns = []column{
	{title: "queue", least: 8},
	{title: "messages", right: true},
	{title: "bytes", right: true, rank: 2},
	{title: "oldest", right: true, rank: 1},
	{title: "watchers", right: true, rank: 3},
	{title: "waiting", right: true, rank: 4},
}

// queueTable is one row for each queue.
func queueTable(p paper, list control.Queues) string {
	rows := make([][]cell, len(list.Queues))
	for i, q := range list.Queues {
		watchers := cell{text: thousands(q.Watchers)}
		if q.Watchers == 0 && q.Messages > 0 {
			watchers.colour = yellow // nobody comes for them
		}
		oldest := cell{text: "-"}
		if q.Messages > 0 {
			oldest.text = span(seconds(q.OldestSeconds))
		}
		rows[i] = []cell{
			{text: printable(q.Name)},
			{text: thousands(q.Messages)},
			{text: size(q.Bytes)},
			oldest, watchers,
			{text: thousands(q.Consumers)},
		}
	}
	var b strings.Builder
	widths := p.arrange(queueColumns, rows, nil)
	p.writeHead(&b, queueColumns, widths)
	for _, row := range rows {
		p.writeRow(&b, queueColumns, widths, row)
	}
	if more := list.All - len(list.Queues); more > 0 {
		fmt.Fprintf(&b, "and %s more (--limit)\n", thousands(more))
	}
	return b.String()
}
