package token

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Remote is a control plane that renews tokens.
type Remote struct {
	Server     string // HOST:PORT of its HTTPS port
	CA         []byte // PEM; nothing else is trusted
	ServerName string // the name its certificate must have; HOST if empty
}

// Renew sends a token to a server that proved itself, and gives the new one.
func (r Remote) Renew(ctx context.Context, raw string) (Renewal, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(r.CA) {
		return Renewal{}, errors.New("the CA holds no certificate in PEM, and without one the token could be sent to anybody")
	}
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: pool, ServerName: r.ServerName, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		DisableKeepAlives:   true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport: transport, Timeout: 30 * time.Second,
		// A redirect could lead the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+r.Server+RenewPath, nil)
	if err != nil {
		return Renewal{}, fmt.Errorf("renew: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(raw))
	resp, err := client.Do(req)
	if err != nil {
		return Renewal{}, fmt.Errorf("renew: %w", err)
	}
	defer resp.Body.Close()
	return answered(resp)
}

func answered(resp *http.Response) (Renewal, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return Renewal{}, fmt.Errorf("renew: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var why Refusal
		if json.Unmarshal(body, &why) != nil || why.Error == "" {
			why.Error = "it gives no reason"
		}
		return Renewal{}, fmt.Errorf("renew: the control plane answers %d: %s", resp.StatusCode, why.Error)
	}
	var got Renewal
	if err := json.Unmarshal(body, &got); err != nil || strings.Count(got.Token, ".") != 2 || strings.ContainsAny(got.Token, " \t\r\n") {
		return Renewal{}, errors.New("renew: the control plane answered something that is no token")
	}
	return got, nil
}

// shape is a JWT's: three parts in base64url.
var shape = regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`)

// ReadFile reads a token file.
func ReadFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	raw := string(bytes.TrimSpace(data))
	if len(raw) > maxLength || !shape.MatchString(raw) {
		return "", fmt.Errorf("%s holds no join token", path)
	}
	return raw, nil
}

// ReplaceFile swaps a token file by rename, which Envoy watches for, and never
// leaves half a token. Mode and owner stay: a timer often runs as another user
// than Envoy.
func ReplaceFile(path, raw string) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	old, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(raw)
	if err == nil {
		err = tmp.Chmod(old.Mode().Perm())
	}
	if owner, ok := old.Sys().(*syscall.Stat_t); ok && err == nil && (int(owner.Uid) != os.Geteuid() || int(owner.Gid) != os.Getegid()) {
		err = tmp.Chown(int(owner.Uid), int(owner.Gid))
	}
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("replace %s: %w", path, err), os.Remove(tmp.Name()))
	}
	return nil
}
