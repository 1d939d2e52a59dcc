package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// The Channel server, which has no password.
var onChannel = []attack{
	{
		name: "channel-half",
		does: "60 connections of one address, each with a frame of 10 MiB that never gets its last KiB",
		run:  halfFrames, proof: []string{closedByPeer, "groupcast_channel_connections_closed_total{partial_frames}"},
	},
	{
		name: "channel-silent",
		does: "1,400 connections of one address that never say a word",
		run:  silent, proof: []string{closedByPeer},
	},
	{
		name: "channel-hoard",
		does: "one connection makes 69,632 queues, another a few, and fills one with messages of 1 MiB",
		run:  hoardQueues, proof: []string{"frames sent", "groupcast_channel_queue_lost_messages_total{crowded}"},
	},
	{
		name: "channel-deaf",
		does: "80 subscribers that do not read, and events of 10 MiB for all of them and for each of them",
		run:  deafSubscribers, proof: []string{"frames sent", "groupcast_channel_events_dropped_total"},
	},
	{
		name: "channel-wrong",
		does: "50 frames a second that are none: objects, wrong lengths, arrays in arrays, noise",
		run:  wrongFrames, proof: []string{closedByPeer, "groupcast_channel_bad_frames_total"},
	},
}

func halfFrames(ctx context.Context, a *assault) {
	frame := binary.BigEndian.AppendUint32(nil, maxChannelFrame)
	frame = append(frame, strings.Repeat("s", maxChannelFrame-1024)...)
	crowd(ctx, 60, 30, 1, func(int) {
		l := a.dial(ctx, source(0, 1), a.target.Channel)
		if l == nil {
			return
		}
		defer l.hangUp()
		_, _ = l.Write(frame)
		l.listen()
	})
}

func silent(ctx context.Context, a *assault) {
	crowd(ctx, 1400, 1100, 50, func(int) {
		l := a.dial(ctx, "127.0.2.1", a.target.Channel)
		if l == nil {
			return
		}
		defer l.hangUp()
		l.listen()
	})
}

func hoardQueues(ctx context.Context, a *assault) {
	const messages, each = 17, 4096 // over the limit of 65,536 queues
	many := make([][]byte, messages)
	for i := range many {
		names := make([]string, each)
		for n := range names {
			names[n] = fmt.Sprintf("hoard-%d", i*each+n)
		}
		many[i] = channelMessage("enqueue", names, "mine")
	}
	large := channelMessage("enqueue", []string{"large"}, strings.Repeat("x", 1<<20))
	crowd(ctx, 2, 2, 1, func(i int) {
		l := a.dial(ctx, source(i, 2), a.target.Channel)
		if l == nil {
			return
		}
		defer l.hangUp()
		pause := 100 * time.Millisecond
		for n := 0; wait(ctx, pause); n++ {
			frame := many[n%messages]
			switch {
			case i == 1 && n%2 == 0: // the other one, which has few
				frame, pause = channelMessage("enqueue", []string{fmt.Sprintf("few-%d", n)}, "mine"), 250*time.Millisecond
			case i == 1:
				frame = large
			case n >= messages: // all are there, and this keeps them
				pause = 400 * time.Millisecond
			}
			if _, err := l.Write(frame); err != nil {
				if ctx.Err() == nil {
					a.count(closedByPeer)
				}
				return
			}
			a.count("frames sent")
		}
	})
}

func deafSubscribers(ctx context.Context, a *assault) {
	const subscribers = 80
	text := strings.Repeat("x", maxChannelFrame-1024)
	go crowd(ctx, 1, 1, 1, func(int) {
		l := a.dial(ctx, source(0, 1), a.target.Channel)
		if l == nil {
			return
		}
		defer l.hangUp()
		for n := 0; wait(ctx, 500*time.Millisecond); n++ {
			to := "deaf"
			if n%4 != 0 { // for one alone: these are not shared
				to = fmt.Sprintf("deaf-%d", n%subscribers)
			}
			if _, err := l.Write(channelMessage("publish", []string{to}, text)); err != nil {
				if ctx.Err() == nil {
					a.count("publisher closed by the server")
				}
				return
			}
			a.count("frames sent")
		}
	})
	crowd(ctx, subscribers, subscribers, 10, func(i int) {
		l := a.dialDeaf(ctx, source(i, subscribers), a.target.Channel)
		if l == nil {
			return
		}
		defer l.hangUp()
		_, _ = l.Write(channelMessage("subscribe", []string{"deaf", fmt.Sprintf("deaf-%d", i)}, ""))
		// It reads nothing, but says something every second, until the server has ended it.
		for wait(ctx, time.Second) {
			if _, err := l.Write(channelFrame("")); err != nil {
				if ctx.Err() == nil {
					a.count(closedByPeer)
				}
				return
			}
		}
	})
}

func wrongFrames(ctx context.Context, a *assault) {
	frames := [][]byte{
		{0, 0, 0, 1}, // shorter than itself
		{0xff, 0xff, 0xff, 0xff},
		channelFrame(`a:2:{s:4:"type";s:7:"publish";s:4:"data";O:8:"stdClass":0:{}}`),
		channelFrame(`a:3:{s:4:"type";s:7:"publish";s:8:"channels";a:1:{i:0;s:1:"x";}s:4:"data";` +
			strings.Repeat("a:1:{i:0;", 60000)),
		channelFrame(strings.Repeat("\x00", 5000)),
		channelFrame(`a:4294967295:{s:4:"type";`),
	}
	crowd(ctx, 6, 6, 50, func(i int) {
		l := a.dial(ctx, source(i, 6), a.target.Channel)
		if l == nil {
			return
		}
		defer l.hangUp()
		_, _ = l.Write(frames[i])
		_, _ = l.Write(frames[0]) // so that it is over
		l.listen()
	})
}
