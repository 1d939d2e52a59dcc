package reactor

import (
	"groupcast/loop/order"
	"groupcast/protocol"
)

// handshake collects the request head and answers it. It returns the bytes
// behind the head, which are frames if the session is open now.
func (r *Reactor) handshake(s *Session, b []byte) (rest []byte) {
	head, from := b, 0
	if s.head != nil {
		from = len(*s.head)
		r.growHead(s, b)
		head = *s.head
	}
	end := protocol.HeadEnd(head, from)
	if end < 0 && len(head) > r.opt.MaxHeadBytes || end > r.opt.MaxHeadBytes {
		r.stats.HandshakeErrors++
		r.respond(s, protocol.AppendTooLarge(nil))
		r.dropHead(s)
		return nil
	}
	if end < 0 {
		if s.head == nil {
			s.head = r.heads.get()
			r.memory.halves += int64(cap(*s.head))
			r.growHead(s, b)
		}
		return nil
	}
	response, result := r.upgrade.Handshake(head[:end])
	if !result.Upgraded {
		if result.Status >= 400 {
			r.stats.HandshakeErrors++
		}
		r.respond(s, response)
		r.dropHead(s)
		return nil
	}
	if !r.allowsOrigin(result.Request) {
		r.stats.OriginRefused++
		r.respond(s, protocol.AppendForbidden(nil))
		r.dropHead(s)
		return nil
	}
	r.stats.Upgrades++
	r.stats.Sessions++
	s.set(flagUpgraded)
	r.endHandshake(s)
	s.state = stateOpen
	s.mode = result.Mode
	r.scheduleOpen(s, s.lastSeen+r.ticks(r.opt.PingAfter))
	r.queueHTTP(s, response)
	r.enterUser(s)
	r.joinGranted(s)
	// What follows lies in b: the head ended there, or it would have been
	// found before.
	rest = b[end-from:]
	r.dropHead(s)
	return rest
}

// allowsOrigin asks what the operator has set about the page that a request comes from.
func (r *Reactor) allowsOrigin(f protocol.RequestFacts) bool {
	if r.opt.AllowOrigin == nil {
		return true
	}
	var origins []string
	for value := range f.Fields("origin") {
		origins = append(origins, string(value))
	}
	return r.opt.AllowOrigin(origins)
}

// respond answers plain HTTP and closes: flush, shut, wait for the peer's end.
func (r *Reactor) respond(s *Session, response []byte) {
	r.queueHTTP(s, response)
	r.endHandshake(s)
	s.set(flagDeaf)
	r.startClosing(s)
}

func (r *Reactor) queueHTTP(s *Session, response []byte) {
	c := r.replies.get(order.ChunkPlain)
	c.Buf = append(c.Buf, response...)
	s.enqueue(c)
}

// endHandshake takes s out of the connections that are not upgraded yet.
func (r *Reactor) endHandshake(s *Session) {
	if s.is(flagHandshaking) {
		s.clear(flagHandshaking)
		r.shared.Handshakes.Add(-1)
	}
}

const (
	maxFreeHeads = 256
	// Most heads are far smaller; a large one must not be kept for them.
	maxFreeHeadBytes = 2 << 10
)

// growHead keeps b behind what there is of a head.
func (r *Reactor) growHead(s *Session, b []byte) {
	before := cap(*s.head)
	*s.head = append(*s.head, b...)
	r.memory.halves += int64(cap(*s.head) - before)
}

// dropHead gives back the part of a request head that has been kept.
func (r *Reactor) dropHead(s *Session) {
	if s.head == nil {
		return
	}
	r.memory.halves -= int64(cap(*s.head))
	if cap(*s.head) <= maxFreeHeadBytes {
		*s.head = (*s.head)[:0]
		r.heads.put(s.head)
	}
	s.head = nil
}
