package server

import (
	"strings"
	"testing"
)

// A check reads the files of the cluster's settings, where there is a cluster.
func TestCheckNATS(t *testing.T) {
	o := DefaultOptions()
	o.Listen, o.API, o.Control = []string{"127.0.0.1:0"}, []string{none}, none
	o.Bus.CredentialsFile = "/nowhere/creds"
	if err := Check(o, nil); err != nil {
		t.Errorf("without a cluster: %v", err)
	}
	o.Bus.Servers = []string{"nats://127.0.0.1:4222"}
	const want = "--nats-creds: wants the JWT of a NATS user and its seed, as nsc writes them: open /nowhere/creds"
	if err := Check(o, nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
