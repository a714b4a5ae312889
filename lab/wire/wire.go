// Package wire carries calls between the processes of a lab over unix sockets:
// one connection a call, JSON with a length before it, open files beside it. A
// unix socket with a path is reached from every network namespace, so the
// processes of a lab need no network to talk. It knows nothing of what is said.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// maxMessage bounds a message, so that a broken peer cannot eat the memory.
const maxMessage = 256 << 20

// maxFiles is the most files that travel with one message.
const maxFiles = 16

// Conn is one call's connection.
type Conn struct{ unix *net.UnixConn }

// Dial connects to the socket at path.
func Dial(path string) (*Conn, error) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return &Conn{c}, nil
}

// Close ends the call.
func (c *Conn) Close() error { return c.unix.Close() }

// Send writes one message; the files stay open here and arrive as copies.
func (c *Conn) Send(v any, files ...*os.File) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = syscall.UnixRights(fds...)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	if _, _, err := c.unix.WriteMsgUnix(head, rights, nil); err != nil {
		return err
	}
	_, err = c.unix.Write(body)
	return err
}

// Receive reads one message and the files that came with it. io.EOF says that
// the peer has ended the call.
func (c *Conn) Receive(v any) ([]*os.File, error) {
	head, files, err := c.head()
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head)
	if size > maxMessage {
		closeAll(files)
		return nil, fmt.Errorf("a message of %d bytes is over the limit", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(c.unix, body); err != nil {
		closeAll(files)
		return nil, err
	}
	if err := json.Unmarshal(body, v); err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

// head reads the four bytes of the length; files travel with these.
func (c *Conn) head() ([]byte, []*os.File, error) {
	var head []byte
	var files []*os.File
	oob := make([]byte, syscall.CmsgSpace(4*maxFiles))
	for len(head) < 4 {
		buf := make([]byte, 4-len(head))
		n, oobn, _, _, err := c.unix.ReadMsgUnix(buf, oob)
		if err == nil && n == 0 {
			err = io.EOF
		}
		if err != nil {
			closeAll(files)
			return nil, nil, err
		}
		head = append(head, buf[:n]...)
		got, err := received(oob[:oobn])
		files = append(files, got...)
		if err != nil {
			closeAll(files)
			return nil, nil, err
		}
	}
	return head, files, nil
}

func received(oob []byte) ([]*os.File, error) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			continue // credentials or the like: not files
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// request opens a call, answer ends it.
type request struct {
	Op   string
	Args json.RawMessage
}

type answer struct {
	Error  string
	Result json.RawMessage
}

// Open begins a call without waiting for its answer: more messages may follow.
func Open(path, op string, args any, files ...*os.File) (*Conn, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	c, err := Dial(path)
	if err != nil {
		return nil, err
	}
	if err := c.Send(request{op, raw}, files...); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Result waits for a call's answer and decodes it into result unless that is nil.
func (c *Conn) Result(result any) ([]*os.File, error) {
	var a answer
	files, err := c.Receive(&a)
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the other process ended before it answered")
	case err != nil:
		return nil, err
	case a.Error != "":
		return nil, errors.New(a.Error)
	case result == nil:
		return files, nil
	}
	return files, json.Unmarshal(a.Result, result)
}

// Ask makes a call and waits for its answer.
func Ask(path, op string, args, result any, files ...*os.File) ([]*os.File, error) {
	c, err := Open(path, op, args, files...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Result(result)
}
