package workerman

import (
	"cmp"
	"container/list"
	"net"

	"groupcast/loop/quota"
	"groupcast/server/door"
)

// silentConns are the connections that have said nothing yet, not one frame. They
// are what costs a stranger nothing, so each address may have some of them only,
// and they go first where connections are too many. Connections that have said
// something are not looked at: the workers of a machine have one address.
//
// Owner: the Server, whose mu guards it.
type silentConns struct {
	byAddress map[string]*list.List // of *conn, the oldest first
}

func (s *silentConns) add(c *conn) {
	if s.byAddress == nil {
		s.byAddress = make(map[string]*list.List)
	}
	all := s.byAddress[c.address]
	if all == nil {
		all = list.New()
		s.byAddress[c.address] = all
	}
	c.silent = all.PushBack(c)
}

// remove takes c out, if it is there.
func (s *silentConns) remove(c *conn) {
	if c.silent == nil {
		return
	}
	all := s.byAddress[c.address]
	all.Remove(c.silent)
	c.silent = nil
	if all.Len() == 0 {
		delete(s.byAddress, c.address)
	}
}

// of is how many the address has.
func (s *silentConns) of(address string) int {
	if all := s.byAddress[address]; all != nil {
		return all.Len()
	}
	return 0
}

// oldest is the one that the address has had for longest, nil without one.
func (s *silentConns) oldest(address string) *conn {
	if all := s.byAddress[address]; all != nil {
		return all.Front().Value.(*conn)
	}
	return nil
}

// largest is the address that has most; "" without any.
func (s *silentConns) largest() (address string) {
	most := 0
	for a, all := range s.byAddress {
		if n := all.Len(); n > most {
			address, most = a, n
		}
	}
	return address
}

// addressOf is what counts of the peer's address, see quota.AddressKey; all unix sockets
// have one.
func (o *Options) addressOf(peer net.Addr) string {
	ip := door.AddrPort(peer).Addr()
	switch {
	case !ip.IsValid():
		return peer.Network()
	case ip.Is6():
		return quota.AddressKey(ip, cmp.Or(o.IPv6Bits, 64)).String()
	}
	return ip.String()
}
