package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"groupcast/bench/internal/process"
)

// sides are two networks with this process's own between them, which passes packets on from one to the other, or does
// not. Clients are in the middle and reach both.
type sides struct{ holders []*process.Process }

// hosts are the addresses of the two sides.
var hosts = []string{"10.77.0.2", "10.77.1.2"}

// withNamespace makes this scenario in another process of this program that has a user and a network namespace of its
// own.
func withNamespace(ctx context.Context, r *run) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return skipError("there is no " + tool + " (Debian: iproute2, util-linux)")
		}
	}
	args := []string{
		"run", "--inside", "--only", r.name, "--groupcast", r.groupcast, "--nats", r.nats, "--outage", r.outage.String(),
	}
	if r.keep {
		args = append(args, "--keep")
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	runtime.LockOSThread() // the kernel sends the Pdeathsig when this thread ends; see prctl(2)
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return skipError("the kernel lets nobody here make a network namespace: " + err.Error())
	}
	err = cmd.Wait()
	if err == nil {
		return errPrinted
	}
	return fmt.Errorf("in a namespace of its own: %w: %s", err, strings.TrimSpace(said.String()))
}

// makeSides makes both networks.
func makeSides(dir string) (*sides, error) {
	s := &sides{}
	if err := command("ip", "link", "set", "lo", "up"); err != nil {
		return nil, skipError(err.Error())
	}
	for i, host := range hosts {
		p, err := startLogged(dir, fmt.Sprintf("side-%d", i), []string{"unshare", "-n", "sleep", "1000"})
		if err != nil {
			return s, skipError("no second network namespace: " + err.Error())
		}
		s.holders = append(s.holders, p)
		pid := strconv.Itoa(p.PID())
		if err := awaitNamespace(pid); err != nil {
			return s, skipError(err.Error())
		}
		near, far := fmt.Sprintf("near%d", i), fmt.Sprintf("far%d", i)
		gate := host[:len(host)-1] + "1"
		inside := []string{"nsenter", "-t", pid, "-n"}
		err = errors.Join(
			command("ip", "link", "add", near, "type", "veth", "peer", "name", far),
			command("ip", "link", "set", far, "netns", pid),
			command("ip", "addr", "add", gate+"/24", "dev", near),
			command("ip", "link", "set", near, "up"),
			command(append(inside, "ip", "link", "set", "lo", "up")...),
			command(append(inside, "ip", "addr", "add", host+"/24", "dev", far)...),
			command(append(inside, "ip", "link", "set", far, "up")...),
			command(append(inside, "ip", "route", "add", "default", "via", gate)...),
		)
		if err != nil {
			return s, skipError(err.Error())
		}
	}
	if err := s.join(); err != nil {
		return s, skipError(err.Error())
	}
	return s, nil
}

// awaitNamespace waits until a process has another network than this one.
func awaitNamespace(pid string) error {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	return await(context.Background(), "a network namespace", patience, func() bool {
		theirs, err := os.Readlink("/proc/" + pid + "/ns/net")
		return err == nil && theirs != own
	})
}

func command(args ...string) error {
	said, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said))
	}
	return nil
}

const forwarding = "/proc/sys/net/ipv4/ip_forward"

func (s *sides) part() error { return os.WriteFile(forwarding, []byte("0"), 0o600) }
func (s *sides) join() error { return os.WriteFile(forwarding, []byte("1"), 0o600) }

// in is what stands in front of a side's commands.
func (s *sides) in(side int) []string {
	return []string{"nsenter", "-t", strconv.Itoa(s.holders[side%len(hosts)].PID()), "-n", "--"}
}

func (s *sides) stop() {
	for _, p := range s.holders {
		p.Kill()
	}
}
