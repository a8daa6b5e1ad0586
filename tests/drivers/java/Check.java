// PostgreSQL's JDBC driver: server-prepared statements, fetch size, batches, COPY, savepoints, cancel.

import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.LinkedHashMap;
import java.util.Map;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Check {
  interface Body {
    void run(Connection connection) throws Exception;
  }

  static Connection connect(String options) throws SQLException {
    Map<String, String> env = System.getenv();
    String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/"
        + env.get("PGDATABASE") + "?" + options;
    return DriverManager.getConnection(url, env.get("PGUSER"), env.get("PGPASSWORD"));
  }

  static void expect(Object got, Object want) {
    if (!want.equals(got)) throw new AssertionError("got " + got + ", want " + want);
  }

  static String valueOf(Connection connection, long key) throws SQLException {
    try (PreparedStatement get = connection.prepareStatement("SELECT v FROM kv WHERE k = ?")) {
      get.setLong(1, key);
      ResultSet rows = get.executeQuery();
      return rows.next() ? rows.getString(1) : "no row";
    }
  }

  // The driver prepares on the server, and turns to binary, from the fifth execution on.
  static void preparedStatements(Connection connection) throws Exception {
    try (PreparedStatement get = connection.prepareStatement("SELECT k, v FROM kv WHERE k = ?")) {
      for (long key = 1; key < 50; key++) {
        get.setLong(1, key);
        ResultSet rows = get.executeQuery();
        expect(rows.next(), true);
        expect(rows.getLong(1), key);
        expect(rows.getString(2), "value " + key);
      }
    }
  }

  static void fetchSize(Connection connection) throws Exception {
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.setFetchSize(2);
      ResultSet rows = statement.executeQuery(
          "SELECT order_id FROM orders WHERE customer_id = 3 ORDER BY order_id");
      for (long order = 1; order <= 3; order++) {
        expect(rows.next(), true);
        expect(rows.getLong(1), order);
      }
      expect(rows.next(), false);
    }
    connection.commit();
  }

  static void batch(Connection connection) throws Exception {
    connection.setAutoCommit(false);
    try (PreparedStatement update =
             connection.prepareStatement("UPDATE kv SET n = n + ? WHERE k = 11")) {
      for (int i = 0; i < 20; i++) {
        update.setInt(1, i % 2 == 0 ? 1 : -1);
        update.addBatch();
      }
      for (int count : update.executeBatch()) expect(count, 1);
    }
    connection.commit();
  }

  static void transactions(Connection connection) throws Exception {
    connection.setAutoCommit(false);
    connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
    Statement statement = connection.createStatement();
    statement.executeUpdate("UPDATE kv SET v = 'java' WHERE k = 12");
    Savepoint savepoint = connection.setSavepoint();
    try {
      statement.executeUpdate("INSERT INTO kv VALUES (12, 'exists')");
      throw new AssertionError("no unique violation");
    } catch (SQLException error) {
      expect(error.getSQLState(), "23505");
    }
    connection.rollback(savepoint);
    expect(valueOf(connection, 12), "java");
    connection.rollback();
    expect(valueOf(connection, 12), "value 12");
    connection.commit();
  }

  static void readOnly(Connection connection) throws Exception {
    connection.setReadOnly(true);
    connection.setAutoCommit(false);
    try {
      connection.createStatement().executeUpdate("UPDATE kv SET n = 0 WHERE k = 13");
      throw new AssertionError("a write in a read-only transaction");
    } catch (SQLException error) {
      expect(error.getSQLState(), "25006");
    }
    connection.rollback();
  }

  static void copy(Connection connection) throws Exception {
    CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
    StringBuilder rows = new StringBuilder();
    for (int key = 940000; key < 940500; key++) rows.append(key).append(",\"copied, yes\",1\n");
    expect(copy.copyIn("COPY kv FROM STDIN CSV", new StringReader(rows.toString())), 500L);
    StringWriter out = new StringWriter();
    copy.copyOut("COPY (SELECT v FROM kv WHERE k = 940123) TO STDOUT", out);
    expect(out.toString(), "copied, yes\n");
    connection.createStatement().executeUpdate("DELETE FROM kv WHERE k >= 900000");
  }

  static void cancel(Connection connection) throws Exception {
    Statement statement = connection.createStatement();
    statement.setQueryTimeout(1);
    try {
      statement.execute("SELECT pg_sleep(30)");
      throw new AssertionError("not cancelled");
    } catch (SQLException error) {
      expect(error.getSQLState(), "57014");
    }
    expect(valueOf(connection, 1), "value 1");
  }

  static void autosave(Connection unused) throws Exception {
    try (Connection connection = connect("autosave=always")) {
      connection.setAutoCommit(false);
      try {
        connection.createStatement().execute("SELECT 1/0");
      } catch (SQLException error) {
        expect(error.getSQLState(), "22012");
      }
      expect(valueOf(connection, 2), "value 2");
      connection.commit();
    }
  }

  static void simpleMode(Connection unused) throws Exception {
    try (Connection connection = connect("preferQueryMode=simple")) {
      expect(valueOf(connection, 3), "value 3");
    }
  }

  static void metaData(Connection connection) throws Exception {
    ResultSet columns = connection.getMetaData().getColumns(null, "public", "kv", null);
    int count = 0;
    while (columns.next()) count++;
    expect(count, 3);
    ResultSet keys = connection.getMetaData().getPrimaryKeys(null, "public", "orders");
    expect(keys.next(), true);
  }

  public static void main(String[] arguments) {
    Map<String, Body> checks = new LinkedHashMap<>();
    checks.put("prepared_statements", Check::preparedStatements);
    checks.put("fetch_size", Check::fetchSize);
    checks.put("batch", Check::batch);
    checks.put("transactions", Check::transactions);
    checks.put("read_only", Check::readOnly);
    checks.put("copy", Check::copy);
    checks.put("cancel", Check::cancel);
    checks.put("autosave", Check::autosave);
    checks.put("simple_mode", Check::simpleMode);
    checks.put("meta_data", Check::metaData);
    int status = 0;
    for (Map.Entry<String, Body> check : checks.entrySet()) {
      try (Connection connection = connect("prepareThreshold=5")) {
        check.getValue().run(connection);
        System.out.println("ok " + check.getKey());
      } catch (Exception | AssertionError error) {
        status = 1;
        String message = String.valueOf(error.getMessage()).replace('\n', ' ');
        System.out.println("not ok " + check.getKey() + ": " + message);
      }
    }
    System.exit(status);
  }
}
