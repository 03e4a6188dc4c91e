// Looks a name up, then COUNT others, then connects to the first. usage: java Kept.java PORT NAME COUNT
import java.net.InetAddress;
import java.net.Socket;

public class Kept {
  public static void main(String[] words) throws Exception {
    java.security.Security.setProperty("networkaddress.cache.ttl", "-1");
    InetAddress kept = InetAddress.getByName(words[1]);
    for (int i = 0; i < Integer.parseInt(words[2]); i++) InetAddress.getByName("h" + i + ".internal");
    InetAddress again = InetAddress.getByName(words[1]);  // of the cache
    try (Socket socket = new Socket(again, Integer.parseInt(words[0]))) {
      System.out.println("connected");
    } catch (java.io.IOException error) {
      System.out.println(error.getMessage());
    }
  }
}
