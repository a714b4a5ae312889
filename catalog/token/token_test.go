package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/ir"
)

const cart = ir.Identity("spiffe://cluster.local/ns/shop/sa/cart")

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that only tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func open(t *testing.T, dir string, c *clock) *token.Store {
	t.Helper()
	s, err := token.Open(dir, token.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, s *token.Store, ttl time.Duration) (string, token.Claims) {
	t.Helper()
	raw, c, err := s.Create(cart, "shop/vm-1", ttl)
	if err != nil {
		t.Fatal(err)
	}
	return raw, c
}

func TestTokenLivesAsLongAsItSays(t *testing.T) {
	c := &clock{t: start}
	s := open(t, t.TempDir(), c)
	raw, made := create(t, s, 24*time.Hour)
	got, err := s.Verify(raw, start)
	if err != nil {
		t.Fatal(err)
	}
	if got.Identity != cart || got.Workload != "shop/vm-1" || got.ID != made.ID || !got.Expires.Equal(start.Add(24*time.Hour)) {
		t.Errorf("claims %+v", got)
	}
	for at, want := range map[time.Duration]error{-time.Second: token.ErrEarly, 0: nil, 24*time.Hour - time.Second: nil, 24 * time.Hour: token.ErrExpired} {
		if _, err := s.Verify(raw, start.Add(at)); !errors.Is(err, want) {
			t.Errorf("after %s: %v, want %v", at, err, want)
		}
	}
	if _, err := s.Verify(" "+raw+"\n", start); err != nil {
		t.Errorf("a file that ends in a newline: %v", err)
	}
}

func TestClaimsOnTheWire(t *testing.T) {
	s := open(t, t.TempDir(), &clock{t: start})
	raw, made := create(t, s, time.Hour)
	part := func(i int) (m map[string]any) {
		data, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	if h := part(0); h["alg"] != "ES256" || h["kid"] == nil {
		t.Errorf("header %v", h)
	}
	c := part(1)
	if c["sub"] != string(cart) || c["workload"] != "shop/vm-1" || c["jti"] != made.ID || c["iat"] != float64(start.Unix()) || c["nbf"] != float64(start.Unix()) || c["exp"] != float64(start.Add(time.Hour).Unix()) {
		t.Errorf("claims %v", c)
	}
}

func TestRevocationReachesARunningServer(t *testing.T) {
	dir, c := t.TempDir(), &clock{t: start}
	server, cli := open(t, dir, c), open(t, dir, c)
	raw, claims := create(t, server, time.Hour)
	other, _ := create(t, server, time.Hour)
	if _, err := server.Verify(raw, start); err != nil {
		t.Fatal(err)
	}
	if known, err := cli.Revoke(claims.ID); err != nil || !known {
		t.Fatal(known, err)
	}
	if _, err := server.Verify(raw, start); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("a revoked token still counts: %v", err)
	} else if text := err.Error(); !strings.Contains(text, claims.ID) || !strings.Contains(text, "shop/cart") {
		t.Errorf("nobody can tell whose token it is: %v", err)
	}
	if _, _, err := server.Renew(raw); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("a revoked token is renewed: %v", err)
	}
	if _, err := server.Verify(other, start); err != nil {
		t.Errorf("another machine's token: %v", err)
	}
	if _, err := open(t, dir, c).Verify(raw, start); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("a restart forgets what was revoked: %v", err)
	}
	if known, err := cli.Revoke("aaaaaaaaaaaaaaaa"); err != nil || known {
		t.Errorf("an id nobody knows: %v, %v", known, err)
	}
	if _, err := cli.Revoke("all of them"); err == nil {
		t.Error("a word passes for an id")
	}
}

// Whoever stole a token may have renewed it before anybody noticed.
func TestRevocationTakesRenewedTokensAlong(t *testing.T) {
	c := &clock{t: start}
	s := open(t, t.TempDir(), c)
	first, claims := create(t, s, time.Hour)
	c.add(30 * time.Minute)
	second, renewed, err := s.Renew(first)
	if err != nil {
		t.Fatal(err)
	}
	if renewed.Identity != cart || renewed.Workload != "shop/vm-1" || !renewed.Expires.Equal(start.Add(90*time.Minute)) || renewed.ID == claims.ID {
		t.Errorf("renewed token %+v", renewed)
	}
	if _, err := s.Verify(first, c.now()); err != nil {
		t.Errorf("the old token died before the new one was written anywhere: %v", err)
	}
	third, last, err := s.Renew(second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Revoke(last.ID); err != nil {
		t.Fatal(err)
	}
	for i, raw := range []string{first, second, third} {
		if _, err := s.Verify(raw, c.now()); !errors.Is(err, token.ErrRevoked) {
			t.Errorf("token %d of the family: %v", i+1, err)
		}
	}
	c.add(time.Hour)
	if _, _, err := s.Renew(first); !errors.Is(err, token.ErrExpired) {
		t.Errorf("an expired token was renewed: %v", err)
	}
}

func TestListForgetsTheExpired(t *testing.T) {
	dir, c := t.TempDir(), &clock{t: start}
	s := open(t, dir, c)
	raw, _ := create(t, s, time.Hour)
	_, long := create(t, s, 10*time.Hour)
	if _, err := s.Revoke(long.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 2 || list[0].Revoked || !list[1].Revoked {
		t.Fatalf("%+v, %v", list, err)
	}
	c.add(2 * time.Hour)
	if list, err := s.List(); err != nil || len(list) != 1 || list[0].ID != long.ID {
		t.Errorf("%+v, %v", list, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "token", "issued.json"))
	if err != nil || strings.Contains(string(data), strings.Split(raw, ".")[2]) {
		t.Errorf("the list holds tokens themselves (%v)", err)
	}
}

func TestBrokenStateClosesTheDoor(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"damaged": func(p string) error { return os.WriteFile(p, []byte("["), 0o600) },
		"loose":   func(p string) error { return os.Chmod(p, 0o644) },
		"removed": os.Remove,
	} {
		dir, c := t.TempDir(), &clock{t: start}
		s := open(t, dir, c)
		raw, claims := create(t, s, time.Hour)
		if _, err := s.Revoke(claims.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(raw, start); !errors.Is(err, token.ErrRevoked) {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "token", "revoked.json")
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		if name == "loose" { // same bytes, so only a reader that starts anew looks
			s = open(t, dir, c)
		}
		if _, err := s.Verify(raw, start); err == nil {
			t.Errorf("the list of revoked tokens is %s, and a revoked token counts again", name)
		}
	}
}

func TestBadRequests(t *testing.T) {
	s := open(t, t.TempDir(), &clock{t: start})
	for name, try := range map[string]func() error{
		"no identity":    func() error { _, _, err := s.Create("", "", time.Hour); return err },
		"short identity": func() error { _, _, err := s.Create("shop/cart", "", time.Hour); return err },
		"bare workload":  func() error { _, _, err := s.Create(cart, "vm-1", time.Hour); return err },
		"workload path":  func() error { _, _, err := s.Create(cart, "a/b/c", time.Hour); return err },
		"no life":        func() error { _, _, err := s.Create(cart, "", 0); return err },
		"negative life":  func() error { _, _, err := s.Create(cart, "", -time.Hour); return err },
		"a year":         func() error { _, _, err := s.Create(cart, "", 8760*time.Hour); return err },
		"endless subject": func() error {
			_, _, err := s.Create(cart+ir.Identity(strings.Repeat("x", 2048)), "", time.Hour)
			return err
		},
	} {
		if try() == nil {
			t.Errorf("%s: a token was made", name)
		}
	}
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Errorf("refused tokens are in the list: %v, %v", list, err)
	}
}

func TestProcessesThatBeginTogetherShareOneKey(t *testing.T) {
	dir, c := t.TempDir(), &clock{t: start}
	stores := make([]*token.Store, 8)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			s, err := token.Open(dir, token.Options{Now: c.now})
			if err != nil {
				t.Error(err)
			}
			stores[i] = s
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i, s := range stores {
		wg.Go(func() {
			raw, _, err := s.Create(cart, "", time.Hour)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := stores[(i+1)%len(stores)].Verify(raw, start); err != nil {
				t.Errorf("a token of one process does not count for another: %v", err)
			}
		})
	}
	wg.Wait()
	if list, err := stores[0].List(); err != nil || len(list) != len(stores) {
		t.Errorf("%d of %d tokens are in the list (%v): the others cannot be revoked by name", len(list), len(stores), err)
	}
}

func TestKeyMustBePrivate(t *testing.T) {
	dir, c := t.TempDir(), &clock{t: start}
	open(t, dir, c)
	if err := os.Chmod(filepath.Join(dir, "token", "key.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := token.Open(dir, token.Options{}); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a key that a group may read is used: %v", err)
	}
}
