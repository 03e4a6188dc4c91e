;; Sends its standard input through a stream over the socket, and prints what comes back.
(require :sb-bsd-sockets)
(use-package :sb-bsd-sockets)

(defun file (descriptor &rest options)
  (apply #'sb-sys:make-fd-stream descriptor :element-type '(unsigned-byte 8) :buffering :full
         options))

(let* ((connection (make-instance 'inet-socket :type :stream :protocol :tcp))
       (in (file 0 :input t))
       (out (file 1 :output t))
       (block (make-array 16384 :element-type '(unsigned-byte 8))))
  (socket-connect connection (host-ent-address (get-host-by-name "localhost"))
                  (parse-integer (second *posix-argv*)))
  (let ((stream (socket-make-stream connection :input t :output t :buffering :full
                                               :element-type '(unsigned-byte 8))))
    (loop for length = (read-sequence block in)
          while (plusp length)
          do (write-sequence block stream :end length)
             (finish-output stream)
             (assert (= (read-sequence block stream :end length) length))
             (write-sequence block out :end length))
    (finish-output out)
    (socket-shutdown connection :direction :output)
    (assert (eq (read-byte stream nil :ended) :ended))))
